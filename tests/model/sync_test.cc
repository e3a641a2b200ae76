// SPDX-License-Identifier: Apache-2.0
// raw_mutex, sync's primitives and containers, channels and select as they stand: no case fails.

#include <gtest/gtest.h>

#include "cases.h"
#include "expect.h"

namespace vole::model {
namespace {

TEST(sync_model, raw_mutex_excludes_three) {
  expect_holds(cases::raw_mutex_three);
}
TEST(sync_model, mutex_excludes_two_goroutines) {
  expect_holds(cases::mutex_two);
}
TEST(sync_model, mutex_excludes_three_goroutines) {
  expect_holds(cases::mutex_three);
}
TEST(sync_model, mutex_excludes_a_goroutine_and_a_thread) {
  expect_holds(cases::mutex_mixed);
}
TEST(sync_model, mutex_is_handed_to_who_starves) {
  expect_holds(cases::mutex_starving);
}
TEST(sync_model, mutex_is_free_after_a_canceled_lock) {
  expect_holds(cases::mutex_cancel);
}
TEST(sync_model, mutex_is_not_starving_for_who_comes_late) {
  expect_holds(cases::mutex_late);
}
TEST(sync_model, mutex_word_counts_one_as_awake) {
  expect_holds(cases::mutex_word_woken);
}
TEST(sync_model, mutex_wakes_who_queues_while_a_lock_is_canceled) {
  expect_holds(cases::mutex_cancel_and_queue);
}
TEST(sync_model, mutex_may_end_with_its_last_owner) {
  expect_holds(cases::mutex_ends);
}

TEST(sync_model, rw_mutex_keeps_readers_and_writer_apart) {
  expect_holds(cases::rw_mutex_two_readers);
}
TEST(sync_model, rw_mutex_keeps_a_reader_in_its_slot_apart) {
  expect_holds(cases::rw_mutex_biased);
}
TEST(sync_model, rw_mutex_makes_the_slots_before_one_is_used) {
  expect_holds(cases::rw_mutex_bias_begins);
}
TEST(sync_model, wait_group_may_end_with_its_waiter) {
  expect_holds(cases::wait_group_ends);
}
TEST(sync_model, wait_group_s_wait_may_end_early) {
  expect_holds(cases::wait_group_ends_early);
}
TEST(sync_model, cond_may_end_with_who_leaves_last) {
  expect_holds(cases::cond_ends);
}
TEST(sync_model, semaphore_gives_one_unit_to_one) {
  expect_holds(cases::semaphore_three);
}

TEST(pool_model, trim_takes_nothing_that_is_in_use) {
  expect_holds(cases::pool_trimmed);
}
TEST(pool_model, object_in_the_depot_goes_to_one) {
  expect_holds(cases::pool_shared);
}
TEST(map_model, load_sees_one_value_or_the_other) {
  expect_holds(cases::map_load_and_store);
}
TEST(map_model, load_finds_what_is_there_while_it_grows) {
  expect_holds(cases::map_grows);
}
TEST(map_model, one_of_two_stores_first) {
  expect_holds(cases::map_two_store_first);
}
TEST(map_model, goroutine_reads_nothing_that_was_given_back) {
  expect_holds(cases::map_gives_back_under_goroutine);
}
TEST(map_model, thread_reads_nothing_that_was_given_back) {
  expect_holds(cases::map_gives_back_under_thread);
}

TEST(chan_model, lock_excludes) {
  expect_holds(cases::chan_lock_two);
}
TEST(chan_model, unbuffered_hands_over) {
  expect_holds(cases::unbuffered);
}
TEST(chan_model, unbuffered_takes_from_two_senders) {
  expect_holds(cases::unbuffered_two_senders);
}
TEST(chan_model, buffered_keeps_the_order) {
  expect_holds(cases::buffered);
}
TEST(chan_model, close_wakes_all_receivers) {
  expect_holds(cases::close_wakes_receivers);
}
TEST(chan_model, close_comes_after_what_was_sent) {
  expect_holds(cases::close_after_send);
}
TEST(chan_model, looks_without_the_lock_miss_nothing_before_a_close) {
  expect_holds(cases::look_without_lock);
}
TEST(chan_model, last_handle_frees_the_core_once) {
  expect_holds(cases::last_handle);
}

TEST(chan_model, who_a_close_wakes_may_end_the_channel) {
  expect_holds(cases::closed_by_reference);
}

TEST(select_model, each_of_two_receives_is_taken_once) {
  expect_holds(cases::select_two_receives);
}
TEST(select_model, facing_selects_meet_once) {
  expect_holds(cases::select_facing_select);
}
TEST(select_model, sends_or_receives) {
  expect_holds(cases::select_send_or_receive);
}
TEST(select_model, close_is_one_case_among_others) {
  expect_holds(cases::select_and_close);
}

}  // namespace
}  // namespace vole::model
