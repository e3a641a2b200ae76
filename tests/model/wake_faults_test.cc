// SPDX-License-Identifier: Apache-2.0
// Faults seeded in the scheduler's accesses, each found by a case of it. A fault is in the explorer
// alone.

#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "expect.h"
#include "scheduler_cases.h"

namespace vole::model {
namespace {

// pairs with: the partners that the weakened accesses name where they stand
constexpr auto rlx = memory_order::relaxed;
constexpr auto acq = memory_order::acquire;
constexpr auto rel = memory_order::release;
constexpr auto sc = memory_order::seq_cst;

using effect = fault::effect;

constexpr char const* race = "a data race";
constexpr char const* stuck = "deadlock";
constexpr char const* any = "";

std::vector<seeded> wake_faults() {
  using namespace cases;
  return {
      {"worker_is_given_its_processor_too_early",
       &plain_adds,
       {"give_processor", op::store, rel, effect::weaken},
       race},
      {"worker_takes_its_processor_too_early",
       &plain_adds,
       {"wait_for_processor", op::load, acq, effect::weaken},
       race},
      {"worker_is_not_woken", &two_add_at_rest, {"futex_wake", op::wake, rlx, effect::drop}, stuck},
      {"spinner_is_not_counted_out",
       &plain_adds,
       {"scheduler::let_go", op::fetch_sub, sc, effect::drop},
       any},
      {"rings_are_not_looked_at_again",
       &ring_is_stolen,
       {"any_ring_filled", op::load, acq, effect::blind},
       stuck},
      {"poller_is_not_interrupted",
       &two_add_to_who_polls,
       {"write", op::wake, rlx, effect::drop},
       "not so"},
      {"poller_does_not_say_that_it_was_interrupted",
       &two_add_to_who_polls,
       {"netpoller::poll", op::store, sc, effect::drop},
       "not so"},
      {"what_is_stuck_is_not_said_to_be_slow",
       &stuck_makes_ready,
       {"mark_stuck", op::store, rlx, effect::drop},
       stuck},
      {"who_arms_does_not_see_that_it_is_stuck",
       &stuck_arms_a_timer,
       {"wake_unless_caller_looks", op::load, rlx, effect::blind},
       stuck},
      {"timer_is_published_too_late",
       &plain_arms_a_timer,
       {"timer_heap::publish", op::store, sc, effect::weaken},
       stuck},
      {"timers_are_looked_at_before_the_processor_is_seen_idle",
       &plain_arms_with_one_processor,
       {"scheduler::put_idle", op::store, sc, effect::weaken},
       stuck},
      {"idle_processors_are_looked_at_before_the_timer_is_seen",
       &plain_arms_with_one_processor,
       {"scheduler::wake_one", op::load, sc, effect::weaken},
       stuck},
      {"timers_are_looked_at_before_the_processor_is_handed_over",
       &timer_while_the_last_blocks,
       {"scheduler::put_idle", op::store, sc, effect::late, 7},
       stuck},
      {"descriptor_is_counted_too_late",
       &plain_opens_a_descriptor,
       {"poll_handle::open", op::fetch_add, sc, effect::weaken},
       stuck},
  };
}

class wake_faults_in : public ::testing::TestWithParam<seeded> {};

TEST_P(wake_faults_in, is_found) {
  expect_found(GetParam());
}

INSTANTIATE_TEST_SUITE_P(, wake_faults_in, ::testing::ValuesIn(wake_faults()),
                         [](auto const& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace vole::model
