// SPDX-License-Identifier: Apache-2.0
// Timers, tickers and sleep. No test asserts how long something takes, only what comes before what.
#include "vole/time.h"

#include <gtest/gtest.h>
#include <memory>
#include <thread>
#include <vector>

#include "vole/go.h"
#include "vole/runtime.h"
#include "vole/select.h"
#include "vole/sync.h"
#include "vole/testing.h"

namespace vole {
namespace {

using namespace std::chrono_literals;

TEST(time, sleep_lasts_at_least_as_long_as_asked) {
  time_point const start = time::now();
  time::sleep(2ms);
  EXPECT_GE(time::since(start), 2ms);
  time::sleep(0ms);
  time::sleep(-1h);
}

TEST(time, sleep_ends_with_its_limit) {
  internal::cancel_source source;
  chan<internal::wake_reason> ended(0);
  go([&] { ended.send(internal::sleep_until(1h, {.cancel = &source})); });
  testing::wait_until_parked(1);
  source.fire();
  EXPECT_EQ(ended.recv(), internal::wake_reason::canceled);
  EXPECT_EQ(internal::sleep_until(1h, {.deadline = time::now() + 1ms}),
            internal::wake_reason::deadline);
  EXPECT_EQ(internal::sleep_until(1ms, {.deadline = time::now() + 1h}),
            internal::wake_reason::ready);
}

TEST(time, plain_thread_may_sleep) {
  std::thread outside([] {
    time_point const start = time::now();
    time::sleep(2ms);
    EXPECT_GE(time::since(start), 2ms);
  });
  outside.join();
}

TEST(time, timer_sends_once) {
  time_point const start = time::now();
  time::timer const t(1ms);
  auto const fired = t.c().recv();
  ASSERT_TRUE(fired.has_value());
  EXPECT_GE(*fired, start + 1ms);
  EXPECT_FALSE(t.stop());
  EXPECT_EQ(t.c().try_recv(), std::nullopt);
}

TEST(time, timer_s_channel_looks_unbuffered) {
  time::timer const t(0ms);
  select(recv(t.c()));
  EXPECT_EQ(t.c().len(), 0U);
  EXPECT_EQ(t.c().cap(), 0U);
}

TEST(time, stop_reports_whether_it_was_armed) {
  time::timer const t(1h);
  EXPECT_TRUE(t.stop());
  EXPECT_FALSE(t.stop());
  EXPECT_FALSE(t.reset(1h));
  EXPECT_TRUE(t.reset(1h));
  EXPECT_TRUE(t.stop());
}

// Waits until the timer has fired, without taking its value.
void await_fired(duration after) {
  time::timer const later(after + 1ms);
  later.c().recv();
}

TEST(time, stop_and_reset_leave_no_stale_value) {
  for (int i = 0; i < 20; ++i) {
    time::timer const t(0ms);
    await_fired(0ms);
    EXPECT_TRUE(t.stop());  // fired, but nobody has received: it counts as armed
    EXPECT_EQ(t.c().try_recv(), std::nullopt);
    t.reset(0ms);
    await_fired(0ms);
    time_point const before = time::now();
    EXPECT_TRUE(t.reset(1ms));
    EXPECT_GE(*t.c().recv(), before + 1ms);
  }
}

TEST(time, zero_and_negative_timers_fire_at_once) {
  EXPECT_TRUE(time::after(0ms).recv().has_value());
  EXPECT_TRUE(time::after(-1h).recv().has_value());
}

TEST(time, timer_that_never_fires_may_be_asked_for) {
  time::timer const t(duration::max());
  EXPECT_EQ(t.c().try_recv(), std::nullopt);
  EXPECT_TRUE(t.stop());
}

TEST(time, timer_is_in_a_heap_only_while_somebody_waits_for_it) {
  auto const armed = [] { return runtime::read_stats().timers; };
  std::size_t const before = armed();
  time::timer const t(1h);
  EXPECT_EQ(armed(), before);
  chan<unit> stop(0);
  sync::wait_group wg;
  for (int i = 0; i < 2; ++i) {
    wg.go([&] { EXPECT_EQ(select(recv(t.c()), recv(stop)), 1); });
  }
  testing::wait_until_parked(2);
  EXPECT_EQ(armed(), before + 1);
  EXPECT_TRUE(t.stop());
  EXPECT_EQ(armed(), before);
  EXPECT_FALSE(t.reset(1h));
  EXPECT_EQ(armed(), before + 1);
  stop.close();
  wg.wait();
  EXPECT_EQ(armed(), before);
}

TEST(time, channel_outlives_its_timer) {
  recv_chan<time_point> c;
  {
    time::timer const t(1ms);
    c = t.c();
  }
  EXPECT_TRUE(c.recv().has_value());
}

TEST(time, ticker_ticks_until_stopped) {
  time::ticker const t(1ms);
  time_point last{};
  for (int i = 0; i < 5; ++i) {
    time_point const tick = *t.c().recv();
    EXPECT_GT(tick, last);
    last = tick;
  }
  t.stop();
  EXPECT_EQ(t.c().try_recv(), std::nullopt);
  t.reset(2ms);
  EXPECT_TRUE(t.c().recv().has_value());
  t.stop();
}

TEST(time, ticker_drops_what_nobody_takes) {
  time::ticker const t(1ms);
  time::sleep(10ms);
  t.c().recv();
  EXPECT_LE(t.c().len(), 1U);
  t.stop();
  EXPECT_EQ(t.c().try_recv(), std::nullopt);
}

TEST(time, after_func_runs_in_a_goroutine_of_its_own) {
  std::uint64_t const self = runtime::goroutine_id();
  chan<std::uint64_t> id(0);
  auto const t = time::after_func(1ms, [=] { id.send(runtime::goroutine_id()); });
  auto const other = id.recv();
  EXPECT_NE(other, self);
  EXPECT_NE(other, 0U);
  EXPECT_FALSE(t.stop());
  EXPECT_FALSE(t.reset(0ms));
  EXPECT_TRUE(id.recv().has_value());
}

TEST(time, after_func_stays_armed_when_its_handle_goes) {
  chan<int> c(0);
  static_cast<void>(time::after_func(1ms, [c] { c.send(1); }));
  EXPECT_EQ(c.recv(), 1);
}

TEST(time, stopped_after_func_never_runs_and_frees_its_function) {
  auto const held = std::make_shared<int>(1);
  {
    auto const t = time::after_func(1h, [held] { FAIL(); });
    EXPECT_EQ(held.use_count(), 2);
    EXPECT_TRUE(t.stop());
    EXPECT_FALSE(t.stop());
  }
  EXPECT_EQ(held.use_count(), 1);
}

TEST(time, many_goroutines_may_reset_one_timer) {
  time::timer const t(1h);
  sync::wait_group wg;
  for (int g = 0; g < 4; ++g) {
    wg.go([t] {
      for (int i = 0; i < 200; ++i) {
        t.reset(i % 2 == 0 ? duration(1h) : duration(0));
        if (i % 3 == 0) t.stop();
        t.c().try_recv();
      }
    });
  }
  wg.wait();
  t.stop();
  EXPECT_EQ(t.c().try_recv(), std::nullopt);
}

TEST(time_death_test, ticker_needs_a_positive_period) {
  EXPECT_DEATH(time::ticker(0ms), "the period of a ticker is 0 ns");
}

}  // namespace
}  // namespace vole
