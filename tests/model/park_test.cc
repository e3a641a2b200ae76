// SPDX-License-Identifier: Apache-2.0
// park.h, park.cc as they stand: no case fails.

#include <gtest/gtest.h>

#include "cases.h"
#include "expect.h"

namespace vole::model {

namespace {

TEST(park_model, goroutine_is_woken_once) {
  expect_holds(cases::goroutine_and_waker);
}
TEST(park_model, thread_is_woken_once) {
  expect_holds(cases::thread_and_waker);
}
TEST(park_model, one_of_two_wakers_wins) {
  expect_holds(cases::two_wakers);
}
TEST(park_model, lock_is_let_go_when_the_waiter_is_parked) {
  expect_holds(cases::park_holding_a_lock);
}
TEST(park_model, cancel_and_waker_do_not_both_win) {
  expect_holds(cases::cancel_and_waker);
}
TEST(park_model, deadline_and_waker_do_not_both_win) {
  expect_holds(cases::deadline_and_waker);
}
TEST(park_model, timer_armed_by_two_stands_once) {
  expect_holds(cases::timer_armed_by_two);
}
TEST(park_model, parks_again) {
  expect_holds(cases::park_twice);
}

}  // namespace
}  // namespace vole::model
