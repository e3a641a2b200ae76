// SPDX-License-Identifier: Apache-2.0
// The scheduler as it stands: no case fails.

#include <gtest/gtest.h>

#include "expect.h"
#include "scheduler_cases.h"

namespace vole::model {
namespace {

TEST(wake_model, work_of_a_plain_thread_runs_while_a_worker_gives_up) {
  expect_holds(cases::plain_adds);
}
TEST(wake_model, work_of_a_plain_thread_runs_on_the_one_processor) {
  expect_holds(cases::plain_adds_to_one_processor);
}
TEST(wake_model, work_of_a_plain_thread_runs_while_a_worker_goes_to_epoll) {
  expect_holds(cases::plain_adds_before_epoll);
}
TEST(wake_model, two_that_add_wake_workers_at_rest) {
  expect_holds(cases::two_add_at_rest);
}
TEST(wake_model, two_that_add_wake_the_worker_in_epoll) {
  expect_holds(cases::two_add_to_who_polls);
}
TEST(wake_model, ring_is_emptied_by_its_owner_or_a_thief) {
  expect_holds(cases::worker_fills_its_ring);
}
TEST(wake_model, ring_is_stolen_from_an_owner_who_does_not_come) {
  expect_holds(cases::ring_is_stolen);
}
TEST(wake_model, what_a_stuck_goroutine_makes_ready_runs_at_once) {
  expect_holds(cases::stuck_makes_ready);
}
TEST(wake_model, timer_that_a_stuck_goroutine_arms_fires_in_time) {
  expect_holds(cases::stuck_arms_a_timer);
}
TEST(wake_model, timer_of_a_plain_thread_fires_while_a_worker_gives_up) {
  expect_holds(cases::plain_arms_a_timer);
}
TEST(wake_model, timer_of_a_plain_thread_fires_on_the_one_processor) {
  expect_holds(cases::plain_arms_with_one_processor);
}
TEST(wake_model, earlier_timer_of_a_plain_thread_fires_in_time) {
  expect_holds(cases::plain_arms_an_earlier_timer);
}
TEST(wake_model, earlier_timer_of_a_worker_fires_in_time) {
  expect_holds(cases::worker_arms_an_earlier_timer);
}
TEST(wake_model, descriptor_that_a_plain_thread_opens_is_polled) {
  expect_holds(cases::plain_opens_a_descriptor);
}
TEST(wake_model, descriptor_that_becomes_ready_wakes_its_reader) {
  expect_holds(cases::descriptor_becomes_ready);
}
TEST(wake_model, all_asleep_for_ever_is_reported) {
  expect_holds(cases::all_asleep_is_reported);
}
TEST(wake_model, sleeper_is_not_reported) {
  expect_holds(cases::sleeper_is_no_deadlock);
}

TEST(hand_over_model, work_comes_to_the_processor_of_who_blocks) {
  expect_holds(cases::work_for_who_blocks);
}
TEST(hand_over_model, timer_fires_though_the_last_one_blocks) {
  expect_holds(cases::timer_while_the_last_blocks);
}
TEST(hand_over_model, descriptor_is_polled_though_the_last_one_blocks) {
  expect_holds(cases::descriptor_while_the_last_blocks);
}
TEST(hand_over_model, two_come_back_from_blocking) {
  expect_holds(cases::two_leave_blocking);
}
TEST(hand_over_model, wired_goroutine_runs_on_its_worker) {
  expect_holds(cases::wired_is_woken);
}
TEST(hand_over_model, processor_that_is_added_takes_work) {
  expect_holds(cases::processors_are_added);
}

}  // namespace
}  // namespace vole::model
