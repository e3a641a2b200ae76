// SPDX-License-Identifier: Apache-2.0
// Faults seeded in the product's accesses, each found by a case. A fault is in
// the explorer alone: the product's code is what it is.

#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "cases.h"
#include "expect.h"

namespace vole::model {
namespace {

// pairs with: the partners that the weakened accesses name where they stand
constexpr auto rlx = memory_order::relaxed;
constexpr auto acq = memory_order::acquire;
constexpr auto rel = memory_order::release;
constexpr auto ar = memory_order::acq_rel;
constexpr auto sc = memory_order::seq_cst;

using effect = fault::effect;

constexpr char const* race = "a data race";
constexpr char const* stuck = "deadlock";
constexpr char const* any = "";

std::vector<seeded> run_queue_faults() {
  using namespace cases;
  return {
      {"push_publishes_too_early",
       &owner_and_thief,
       {"run_queue::push", op::store, rel, effect::weaken},
       any},
      {"thief_looks_at_an_old_ring",
       &owner_and_thief,
       {"run_queue::steal_into", op::load, acq, effect::weaken},
       any},
      {"take_is_not_one_step",
       &owner_and_thief,
       {"run_queue::take", op::compare_exchange, ar, effect::split},
       any},
      {"steal_is_not_one_step",
       &two_thieves,
       {"run_queue::steal_into", op::compare_exchange, ar, effect::split},
       any},
      {"overflow_is_not_one_step",
       &overflow_and_thief,
       {"run_queue::take_half", op::compare_exchange, ar, effect::split},
       "not so"},
      {"next_is_published_too_early",
       &next_and_thief,
       {"run_queue::put_next", op::store, rel, effect::weaken},
       race},
  };
}

std::vector<seeded> park_faults() {
  using namespace cases;
  return {
      {"check_and_park_come_apart",
       &goroutine_and_waker,
       {"after_park", op::fetch_or, ar, effect::split},
       stuck},
      {"finish_and_look_come_apart",
       &goroutine_and_waker,
       {"park_ticket::finish", op::fetch_or, ar, effect::split},
       stuck},
      {"parked_is_seen_too_early",
       &goroutine_and_waker,
       {"park_ticket::finish", op::load, acq, effect::weaken},
       race},
      {"finished_is_seen_too_early",
       &goroutine_and_waker,
       {"park_unlimited", op::load, acq, effect::weaken},
       race},
      {"parked_is_said_too_early",
       &goroutine_and_waker,
       {"after_park", op::fetch_or, ar, effect::weaken},
       race},
      {"two_claim_a_ticket",
       &cancel_and_waker,
       {"park_ticket::try_claim", op::compare_exchange, ar, effect::split},
       any},
      {"thread_is_not_woken",
       &thread_and_waker,
       {"futex_wake", op::wake, rlx, effect::drop},
       stuck},
      {"deadline_does_not_say_that_it_fires_no_more",
       &deadline_and_waker,
       {"timer_heap::run_some", op::store, rel, effect::weaken},
       any},
  };
}

std::vector<seeded> sync_faults() {
  using namespace cases;
  return {
      {"raw_mutex_lets_go_too_early",
       &raw_mutex_three,
       {"raw_mutex::unlock", op::exchange, rel, effect::weaken},
       race},
      {"raw_mutex_is_taken_too_late",
       &raw_mutex_three,
       {"raw_mutex::lock_slow", op::exchange, acq, effect::weaken},
       race},
      {"mutex_lets_go_too_early",
       &mutex_two,
       {"mutex_word::try_release", op::compare_exchange, rel, effect::weaken},
       race},
      {"mutex_lets_go_too_early_with_a_waiter",
       &mutex_three,
       {"mutex_word::release_to", op::fetch_and, rel, effect::weaken},
       race},
      {"mutex_spinner_and_waiter_are_awake",
       &mutex_word_woken,
       {"mutex_word::begin_release", op::compare_exchange, rlx, effect::split},
       "not so"},
      {"mutex_waiter_does_not_look_again",
       &mutex_two,
       {"mutex_word::try_queue", op::compare_exchange, rlx, effect::split},
       any},
      {"rw_mutex_does_without_membarrier",
       &rw_mutex_biased,
       {"slow_barrier", op::fence, sc, effect::drop},
       any},
      {"rw_mutex_shows_its_slots_too_early",
       &rw_mutex_bias_begins,
       {"rw_mutex::bias", op::store, rel, effect::weaken},
       race},
      {"rw_mutex_looks_at_slots_too_early",
       &rw_mutex_bias_begins,
       {"rw_mutex::count_in_slot", op::load, acq, effect::weaken},
       race},
      {"rw_mutex_lets_a_reader_go_too_early",
       &rw_mutex_biased,
       {"rw_mutex::count_in_slot", op::store, rel, effect::weaken},
       race},
      {"wait_group_is_done_too_early",
       &wait_group_ends,
       {"wait_group::add", op::fetch_add, ar, effect::weaken},
       race},
  };
}

std::vector<seeded> chan_faults() {
  using namespace cases;
  return {
      {"chan_lock_lets_go_too_early",
       &chan_lock_two,
       {"chan_lock::unlock", op::store, rel, effect::weaken},
       race},
      {"chan_lock_is_taken_in_two_steps",
       &unbuffered,
       {"chan_lock::lock", op::exchange, acq, effect::split},
       any},
      {"receiver_is_not_in_the_queue",
       &unbuffered,
       {"::push_back", op::store, rlx, effect::drop},
       stuck},
      {"close_is_not_said",
       &close_wakes_receivers,
       {"chan_core::close", op::store, rel, effect::drop},
       stuck},
      {"last_handle_does_not_see_the_others",
       &last_handle,
       {"chan_core::release", op::fetch_sub, ar, effect::weaken},
       "an atomic ends"},
      {"select_is_claimed_twice",
       &select_two_receives,
       {"park_ticket::try_claim", op::compare_exchange, ar, effect::split},
       any},
      {"select_does_not_see_who_fired",
       &select_facing_select,
       {"park_unlimited", op::load, acq, effect::weaken},
       race},
  };
}

std::vector<seeded> container_faults() {
  using namespace cases;
  return {
      {"pool_is_trimmed_without_membarrier",
       &pool_trimmed,
       {"slow_barrier", op::fence, sc, effect::drop},
       any},
      {"pool_is_left_too_early",
       &pool_trimmed,
       {"pool_core::leave", op::store, rel, effect::weaken},
       race},
      {"pool_is_trimmed_too_early",
       &pool_trimmed,
       {"pool_core::collect", op::load, acq, effect::weaken},
       race},
      {"pool_is_used_before_the_trim_is_seen",
       &pool_trimmed,
       {"pool_core::enter", op::load, acq, effect::weaken},
       race},
      {"map_shows_an_entry_too_early",
       &map_load_and_store,
       {"::put(", op::store, rel, effect::weaken},
       race},
      {"map_looks_at_an_entry_too_early",
       &map_load_and_store,
       {"::find(", op::load, acq, effect::weaken},
       race},
      {"map_shows_a_table_too_early",
       &map_grows,
       {"::insert(", op::store, rel, effect::weaken},
       any},
      {"map_gives_back_without_membarrier",
       &map_gives_back_under_goroutine,
       {"slow_barrier", op::fence, sc, effect::drop},
       "freed"},
      {"map_does_not_see_a_reader_go",
       &map_gives_back_under_goroutine,
       {"epoch_unpin", op::store, rel, effect::weaken},
       "freed"},
  };
}

std::vector<seeded> eviction_faults() {
  using namespace cases;
  return {
      {"evicted_enters_by_a_load_and_a_store",
       &evicted_by_exchange,
       {"by_exchange::enter", op::exchange, sc, effect::split},
       race},
      {"evicted_left_too_early",
       &evicted_by_exchange,
       {"by_exchange::leave", op::store, rel, effect::weaken},
       race},
      {"eviction_is_not_one_step",
       &evicted_by_exchange,
       {"by_exchange::evict", op::compare_exchange, ar, effect::split},
       race},
      {"eviction_does_without_membarrier",
       &evicted_by_barrier,
       {"slow_barrier", op::fence, sc, effect::drop},
       race},
      {"eviction_does_not_look_again",
       &evicted_by_barrier,
       {"by_barrier::evict", op::load, acq, effect::blind},
       race},
      {"evicted_does_not_look",
       &evicted_by_barrier,
       {"by_barrier::enter", op::load, rlx, effect::blind},
       "not so"},
      {"evicted_looks_before_it_says_where_it_is",
       &evicted_by_barrier,
       {"fast_store", op::store, rlx, effect::late, 1},
       race},
      {"evicted_answers_in_two_steps",
       &evicted_by_barrier,
       {"by_barrier::answer", op::compare_exchange, rlx, effect::split},
       any},
      {"evicted_left_too_early_for_the_barrier",
       &evicted_by_barrier,
       {"by_barrier::leave", op::store, rel, effect::weaken},
       race},
      {"asking_and_taking_come_apart",
       &evicted_by_barrier,
       {"by_barrier::evict", op::compare_exchange, rlx, effect::split},
       race},
  };
}

std::vector<seeded> all_faults() {
  std::vector<seeded> all;
  for (auto const& part : {run_queue_faults(), eviction_faults(), park_faults(), sync_faults(),
                           chan_faults(), container_faults()}) {
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

class faults : public ::testing::TestWithParam<seeded> {};

TEST_P(faults, is_found) {
  expect_found(GetParam());
}

INSTANTIATE_TEST_SUITE_P(, faults, ::testing::ValuesIn(all_faults()),
                         [](auto const& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace vole::model
