// SPDX-License-Identifier: Apache-2.0
// run_queue.h: one owner and thieves. No goroutine is lost, none is taken
// twice, and who takes one sees what was written before it was put in.

#include <gtest/gtest.h>

#include "cases.h"
#include "expect.h"

namespace vole::model {
namespace {

TEST(run_queue_model, owner_and_thief_share_what_is_pushed) {
  expect_holds(cases::owner_and_thief);
}
TEST(run_queue_model, two_thieves_take_no_goroutine_twice) {
  expect_holds(cases::two_thieves);
}
TEST(run_queue_model, what_runs_next_is_taken_once) {
  expect_holds(cases::next_and_thief);
}
TEST(run_queue_model, full_ring_overflows_while_a_thief_takes) {
  expect_holds(cases::overflow_and_thief);
}

}  // namespace
}  // namespace vole::model
