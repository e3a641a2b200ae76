// SPDX-License-Identifier: Apache-2.0
#include "vole/testing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vole/chan.h"
#include "vole/go.h"
#include "vole/internal/atomic.h"
#include "vole/runtime.h"
#include "vole/synctest.h"
#include "vole/time.h"

namespace vole {
namespace {

void wait_for_close(chan<int> const& c) {
  c.recv();
}

TEST(testing_wait_until_parked, returns_when_that_many_wait) {
  chan<int> c(0);
  for (int i = 0; i < 10; ++i) go([c] { wait_for_close(c); });
  testing::wait_until_parked(10);
  EXPECT_EQ(testing::parked(), 10U);
  c.close();
}

TEST(testing_wait_until_parked, does_not_count_the_caller) {
  chan<std::size_t> seen(0);
  go([seen] { seen.send(testing::parked()); });
  // The main goroutine is parked in recv while the other one counts, or counts nobody before it is.
  EXPECT_LE(seen.recv().value(), 1U);
}

TEST(testing_leak_check, is_silent_when_all_have_gone) {
  testing::leak_check const check;
  chan<int> c(1);
  go([c] { c.send(1); });
  c.recv();
  EXPECT_EQ(check.report(), "");
}

TEST(testing_leak_check, names_who_is_left_and_who_started_it) {
  testing::leak_check const check;
  chan<int> c(0);
  go([c] { wait_for_close(c); });
  testing::wait_until_parked(1);
  std::string const report = check.report(duration::zero());
  EXPECT_THAT(report, ::testing::HasSubstr("[chan receive]"));
  EXPECT_THAT(report, ::testing::HasSubstr("wait_for_close"));
  EXPECT_THAT(report, ::testing::HasSubstr("created by"));
  EXPECT_THAT(report, ::testing::HasSubstr("testing_test.cc"));
  c.close();
}

TEST(testing_leak_check, forgives_those_that_were_there_before) {
  chan<int> c(0);
  go([c] { wait_for_close(c); });
  testing::wait_until_parked(1);
  testing::leak_check const check;
  EXPECT_EQ(check.report(), "");
  c.close();
}

TEST(synctest, background_goroutines_are_of_the_bubble) {
  internal::atomic<bool> stop{false};
  chan<int> stopped(0);
  // However busy the others outside are.
  go([&, stopped] {
    while (!stop.load()) runtime::yield();
    stopped.close();
  });
  synctest::test([] {
    chan<int> c(0);
    internal::atomic<int> slept{0};
    time_point const begin = time::now();
    for (int i = 0; i < 3; ++i) {
      go({.scheduling = scheduling_class::background}, [&, c] {
        time::sleep(std::chrono::hours(1));
        slept.fetch_add(1);
        c.recv();
      });
    }
    time::sleep(std::chrono::hours(2));
    synctest::wait();
    EXPECT_EQ(slept.load(), 3);
    EXPECT_EQ(time::now() - begin, std::chrono::hours(2));
    c.close();
  });
  stop.store(true);
  stopped.recv();
}

TEST(testing_main, runs_tests_in_a_goroutine_with_a_large_stack) {
  EXPECT_NE(runtime::goroutine_id(), 0U);
  char volatile deep[4 << 20];
  deep[0] = 1;
  deep[sizeof deep - 1] = 1;
  EXPECT_EQ(deep[0] + deep[sizeof deep - 1], 2);
}

}  // namespace
}  // namespace vole
