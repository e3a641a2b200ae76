// SPDX-License-Identifier: Apache-2.0
// What Go's time tests check of timers, tickers and sleep, under their names; see
// docs/internals/conformance.md. Nothing here asserts how late a timer is, only that it is not
// early and does come.
#include "vole/time.h"

#include <array>
#include <functional>
#include <gtest/gtest.h>
#include <memory>
#include <random>
#include <vector>

#include "vole/chan.h"
#include "vole/go.h"
#include "vole/internal/atomic.h"
#include "vole/runtime.h"
#include "vole/select.h"
#include "vole/sync.h"
#include "vole/synctest.h"
#include "vole/testing.h"

namespace vole {
namespace {

using internal::atomic;
using namespace std::chrono_literals;

// A timer whose function sends on a channel of its own: what Go's tests call impl=func.
struct func_timer_with_chan {
  explicit func_timer_with_chan(duration d)
      : c(1), timer(time::after_func(d, [c = c] { c.try_send(time::now()); })) {}
  chan<time_point> c;
  time::func_timer timer;
};

// --- sleep_test.go

TEST(go_time, TestSleep) {
  time_point const start = time::now();
  time::sleep(20ms);
  EXPECT_GE(time::since(start), 20ms);
}

TEST(go_time, TestAfterFunc) {
  chan<bool> c(0);
  atomic<int> left{10};
  std::function<void()> step = [&] {
    if (--left >= 0) {
      time::after_func(0ns, step);
    } else {
      c.send(true);
    }
  };
  time::after_func(0ns, step);
  c.recv();
  EXPECT_EQ(left, -1);
}

TEST(go_time, TestTickerStress) {
  atomic<bool> stop{false};
  sync::wait_group wg;
  wg.go([&] {
    while (!stop) time::sleep(1ns);
  });
  time::ticker const ticker(1ns);
  for (int i = 0; i < 100; ++i) ticker.c().recv();
  ticker.stop();
  stop = true;
  wg.wait();
}

TEST(go_time, TestTickerConcurrentStress) {
  atomic<bool> stop{false};
  sync::wait_group background;
  background.go([&] {
    while (!stop) time::sleep(1ns);
  });
  time::ticker const ticker(1ns);
  sync::wait_group wg;
  for (int g = 0; g < 10; ++g) {
    wg.go([ticker] {
      for (int i = 0; i < 100; ++i) ticker.c().recv();
    });
  }
  wg.wait();
  ticker.stop();
  stop = true;
  background.wait();
}

// Two who keep each other runnable do not keep a timer's function from running.
TEST(go_time, TestAfterFuncStarvation) {
  atomic<bool> stop{false};
  chan<bool> c(1);
  sync::wait_group wg;
  wg.go([&] {
    while (!stop) c.send(true);
    c.close();
  });
  wg.go([&] {
    for (bool const v : c) static_cast<void>(v);
  });
  time::after_func(1us, [&] { stop = true; });
  wg.wait();
}

TEST(go_time, TestAfter) {
  time_point const start = time::now();
  time_point const end = *time::after(20ms).recv();
  EXPECT_GE(time::since(start), 20ms);
  EXPECT_GE(end, start + 20ms);
}

TEST(go_time, TestAfterTick) {
  time_point const start = time::now();
  for (int i = 0; i < 10; ++i) time::after(2ms).recv();
  EXPECT_GE(time::since(start), 20ms);
}

TEST(go_time, TestAfterStop) {
  // What is stopped long before its time does not come, though others that are due later do.
  time::timer const t0(1h);
  chan<bool> c1(1);
  auto const t1 = time::after_func(1h, [c1] { c1.send(true); });
  auto const later = time::after(5ms);
  EXPECT_TRUE(t0.stop());
  EXPECT_TRUE(t1.stop());
  later.recv();
  EXPECT_EQ(t0.c().try_recv(), std::nullopt);
  EXPECT_EQ(c1.try_recv(), std::nullopt);
  EXPECT_FALSE(t1.stop());
}

// Timers that are made in any order come in the order of their times. The times they send say so;
// when the receivers run does not.
void expect_in_order() {
  constexpr std::array<int, 13> slots{5, 3, 6, 6, 6, 1, 1, 2, 7, 9, 4, 8, 0};
  time_point const start = time::now();
  sync::wait_group wg;
  for (int const slot : slots) {
    auto const made = time::after(slot * 2ms);
    time_point const latest = time::now() + slot * 2ms;
    wg.go([slot, made, start, latest] {
      time_point const t = *made.recv();
      EXPECT_GE(t, start + slot * 2ms);
      EXPECT_LE(t, latest);
    });
  }
  wg.wait();
}

TEST(go_time, TestAfterQueuing) {
  expect_in_order();
  synctest::test(expect_in_order);  // to the nanosecond: making them takes no time there
}

TEST(go_time, TestTimerStopStress) {
  sync::wait_group wg;
  atomic<int> ran{0};
  for (int i = 0; i < 100; ++i) {
    wg.go([&] {
      auto const t = time::after_func(1h, [&] { ++ran; });
      time::sleep(1ms);
      EXPECT_TRUE(t.stop());
    });
  }
  wg.wait();
  EXPECT_EQ(ran, 0);
}

TEST(go_time, TestSleepZeroDeadlock) {
  sync::wait_group wg;
  wg.go([] {
    for (int i = 0; i < 100; ++i) runtime::yield();
  });
  for (int i = 0; i < 100; ++i) {
    time::sleep(0ns);
    chan<bool> tmp(1);
    tmp.send(true);
    tmp.recv();
  }
  wg.wait();
}

TEST(go_time, TestReset) {
  time::timer const t(1h);
  EXPECT_TRUE(t.reset(2h));
  EXPECT_EQ(t.c().try_recv(), std::nullopt);
  EXPECT_TRUE(t.reset(1ms));
  t.c().recv();
  EXPECT_FALSE(t.reset(1h));
  EXPECT_EQ(t.c().try_recv(), std::nullopt);
  EXPECT_TRUE(t.stop());
}

// A time so far away that it overflows never comes; one before now is over.
TEST(go_time, TestOverflowSleep) {
  constexpr duration big = duration::max();
  constexpr duration negative = duration::min();
  EXPECT_EQ(internal::sleep_until(big, {.deadline = time::now() + 1ms}),
            internal::wake_reason::deadline);
  EXPECT_EQ(select(recv(time::after(big)), recv(time::after(5ms))), 1);
  time::sleep(negative);
  EXPECT_EQ(select(recv(time::after(negative)), recv(time::after(1h))), 0);
}

TEST(go_time, TestZeroTimer) {
  auto const cached = func_timer_with_chan(1h);
  for (int i = 0; i < 2000; ++i) {
    time::timer(0ns).c().recv();
    func_timer_with_chan(0ns).c.recv();
    cached.timer.reset(0ns);
    cached.c.recv();
  }
}

// A timer that is moved earlier again and again is not lost.
TEST(go_time, TestTimerModifiedEarlier) {
  for (int i = 0; i < 300; ++i) {
    auto const t = func_timer_with_chan(1h);
    for (int j = 0; j < 10; ++j) {
      if (!t.timer.stop()) t.c.recv();
      t.timer.reset(-1h);
    }
    t.c.recv();
  }
}

// A hundred timers go through the same changes, to earlier and to later, in random order.
TEST(go_time, TestAdjustTimers) {
  std::mt19937 random(1);
  struct one {
    std::unique_ptr<func_timer_with_chan> t;
    int state = 0;
  };
  std::vector<one> timers(100);
  while (!timers.empty()) {
    one& o = timers[random() % timers.size()];
    switch (o.state++) {
      case 0:
        o.t = std::make_unique<func_timer_with_chan>(0ns);
        break;
      case 1:
        o.t->c.recv();
        break;
      case 2:
        EXPECT_FALSE(o.t->timer.reset(1min));
        break;
      case 4:
        EXPECT_FALSE(o.t->timer.reset(3min));
        break;
      case 6:
        EXPECT_FALSE(o.t->timer.reset(2min));
        break;
      case 3:
      case 5:
      case 7:
        EXPECT_TRUE(o.t->timer.stop());
        break;
      case 8:
        EXPECT_FALSE(o.t->timer.reset(0ns));
        break;
      case 9:
        o.t->c.recv();
        break;
      default:
        std::swap(o, timers.back());
        timers.pop_back();
    }
  }
}

// Whoever stops or resets a timer that is just firing is told rightly whether its value is there.
template <class StopOrReset>
void tells_whether_there_is_a_value(StopOrReset stop_or_reset) {
  chan<unit> start(0);
  sync::wait_group wg;
  for (int g = 0; g < 100; ++g) {
    wg.go([=] {
      start.recv();
      for (int i = 0; i < 20; ++i) {
        time::timer const t1(1ms);
        time::timer const t2(1ms);
        // Not received, so it counts as pending: its value must be gone with the stop.
        bool const first = select(recv(t1.c()), recv(t2.c())) == 0;
        time::timer const& other = first ? t2 : t1;
        EXPECT_TRUE(stop_or_reset(other));
        EXPECT_EQ(other.c().try_recv(), std::nullopt);
      }
    });
  }
  start.close();
  wg.wait();
}

TEST(go_time, TestStopResult) {
  tells_whether_there_is_a_value([](time::timer const& t) { return t.stop(); });
}

TEST(go_time, TestResetResult) {
  tells_whether_there_is_a_value([](time::timer const& t) { return t.reset(1h); });
}

TEST(go_time, TestMultiWakeupTicker) {
  time::ticker const ticker(1us);
  sync::wait_group wg;
  for (int g = 0; g < 4; ++g) {
    wg.go([ticker] {
      for (int i = 0; i < 2000; ++i) select(recv(ticker.c()), recv(time::after(1ms)));
    });
  }
  wg.wait();
}

TEST(go_time, TestMultiWakeupTimer) {
  time::timer const timer(1ns);
  sync::wait_group wg;
  for (int g = 0; g < 4; ++g) {
    wg.go([timer] {
      for (int i = 0; i < 2000; ++i) {
        select(recv(timer.c()), otherwise());
        timer.reset(1ns);
      }
    });
  }
  wg.wait();
}

// --- tick_test.go

TEST(go_time, TestTicker) {
  constexpr int count = 6;
  time_point const start = time::now();
  time::ticker const ticker(2ms);
  for (int i = 0; i < count / 2; ++i) ticker.c().recv();
  time_point last = time::now();
  ticker.reset(4ms);
  for (int i = 0; i < count / 2; ++i) {
    time_point const tick = *ticker.c().recv();
    EXPECT_GE(tick, last);
    last = tick;
  }
  ticker.stop();
  EXPECT_GE(time::since(start), 3 * 2ms + 3 * 4ms);
  time::sleep(8ms);
  EXPECT_EQ(ticker.c().try_recv(), std::nullopt) << "a tick after stop";
}

TEST(go_time, TestTeardown) {
  for (int i = 0; i < 3; ++i) {
    time::ticker const ticker(2ms);
    ticker.c().recv();
    ticker.stop();
  }
}

TEST(go_time, TestTick) {
  EXPECT_FALSE(time::tick(-1ns));
  EXPECT_FALSE(time::tick(0ns));
  EXPECT_TRUE(time::tick(1ms).recv().has_value());
}

TEST(go_time, TestNewTickerLtZeroDuration) {
  EXPECT_DEATH(time::ticker(-1ns), "the period of a ticker is -1 ns");
}

TEST(go_time, TestTickerResetLtZeroDuration) {
  EXPECT_DEATH(time::ticker(1s).reset(0ns), "the period of a ticker is 0 ns");
}

// Many timers that are over do not slow down those who use short ones; a queue between two
// channels keeps the scheduler busy meanwhile.
TEST(go_time, TestLongAdjustTimers) {
  sync::wait_group sleepers;
  for (int i = 0; i < 2000; ++i) {
    sleepers.go([] { time::sleep(10us); });
  }
  chan<int> in(0);
  chan<int> out(0);
  sync::wait_group queue;
  queue.go([=] {
    std::vector<int> q;
    for (std::size_t first = 0;;) {
      bool const empty = first == q.size();
      int v = 0;
      bool ok = false;
      int const which =
          select(send(empty ? chan<int>() : out, empty ? 0 : q[first]), recv(in, &v, &ok));
      if (which == 0) {
        ++first;
      } else if (ok) {
        q.push_back(v);
      } else {
        return;
      }
    }
  });
  for (int i = 0; i < 200; ++i) {
    for (int k = 0; k < 20; ++k) in.send(k);
    for (int k = 0; k < 20; ++k) {
      int v = -1;
      ASSERT_EQ(select(recv(out, &v), recv(time::after(1min))), 0);
      ASSERT_EQ(v, k);
    }
  }
  in.close();
  queue.wait();
  sleepers.wait();
}

// Timers that nobody holds are gone, also from the heaps.
TEST(go_time, TestTimerGC) {
  auto const armed = [] { return runtime::read_stats().timers; };
  std::size_t const before = armed();
  for (int i = 0; i < 10'000; ++i) {
    static_cast<void>(time::after(1h));
    static_cast<void>(time::tick(1h));
    time::timer(1h).stop();
    time::ticker(1h).stop();
  }
  EXPECT_EQ(armed(), before);
}

// A timer through everything that can happen to it, with nobody, one and two waiting in its
// channel.
template <class T>
void check_timer_chan(T const& t, bool ticks) {
  auto const no_tick = [&] { EXPECT_EQ(t.c().try_recv(), std::nullopt) << "extra tick"; };
  auto const fired_by_now = [] { time::sleep(2ms); };

  t.stop();
  no_tick();
  t.reset(3h);
  no_tick();
  t.reset(1ns);
  fired_by_now();
  EXPECT_EQ(t.c().len(), 0U);
  EXPECT_EQ(t.c().cap(), 0U);
  EXPECT_TRUE(t.c().try_recv().has_value()) << "missing tick";

  fired_by_now();
  t.reset(3h);  // also of a ticker that has ticked again meanwhile
  no_tick();

  sync::wait_group wg;
  atomic<int> done{0};
  wg.go([&] {
    t.c().recv();
    ++done;
  });
  testing::wait_until_parked(1);
  t.reset(6h);
  EXPECT_EQ(done, 0);
  t.reset(1ns);
  wg.wait();
  t.stop();
  no_tick();

  t.reset(3h);
  chan<unit> stop(0);
  sync::wait_group two;
  done = 0;
  for (int i = 0; i < 2; ++i) {
    two.go([&] {
      if (select(recv(t.c()), recv(stop)) == 0) ++done;
    });
  }
  testing::wait_until_parked(2);
  t.reset(1ns);
  while (done == 0) runtime::yield();
  t.stop();
  stop.close();
  two.wait();
  if (!ticks) {
    EXPECT_EQ(done, 1);
  }
}

// The same timer, stopped: nothing comes from it, nor anything of earlier settings.
template <class T>
void check_stopped_timer_chan(T const& t, bool ticks) {
  auto const no_tick = [&] { EXPECT_EQ(t.c().try_recv(), std::nullopt) << "extra tick"; };
  auto const fired_by_now = [] { time::sleep(2ms); };

  chan<unit> stop(0);
  sync::wait_group idle;
  for (int i = 0; i < 2; ++i) {
    idle.go([&] { EXPECT_EQ(select(recv(t.c()), recv(stop)), 1); });
  }
  testing::wait_until_parked(2);
  stop.close();
  idle.wait();

  // Values of earlier settings are not received.
  t.reset(1ns);
  fired_by_now();
  t.stop();
  no_tick();
  t.reset(1h);
  no_tick();
  t.reset(1ns);
  fired_by_now();
  EXPECT_TRUE(t.c().try_recv().has_value());
  fired_by_now();
  EXPECT_EQ(t.c().try_recv().has_value(), ticks);
  t.reset(1h);
  no_tick();
  t.stop();
}

TEST(go_time, TestChan) {
  time::timer const timer(3h);
  check_timer_chan(timer, false);
  check_stopped_timer_chan(timer, false);
  time::ticker const ticker(3h);
  check_timer_chan(ticker, true);
  check_stopped_timer_chan(ticker, true);
}

// The value says when the timer was due, not when it was received.
TEST(go_time, TestAfterTimes) {
  time_point const start = time::now();
  auto const c = time::after(1ms);
  time_point const made = time::now();
  time::sleep(10ms);
  time_point const t = *c.recv();
  EXPECT_GE(t, start + 1ms);
  EXPECT_LE(t, made + 1ms);
}

TEST(go_time, TestTickTimes) {
  time_point const start = time::now();
  auto const c = time::tick(1ms);
  time_point const made = time::now();
  time::sleep(10ms);
  time_point const t = *c.recv();
  EXPECT_GE(t, start + 1ms);
  EXPECT_LE(t, made + 1ms);
}

}  // namespace
}  // namespace vole
