// SPDX-License-Identifier: Apache-2.0
// What Go's tests of testing/synctest and internal/synctest check, under their names; see
// docs/internals/conformance.md.
#include "vole/synctest.h"

#include <algorithm>
#include <functional>
#include <gtest/gtest.h>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "vole/chan.h"
#include "vole/context.h"
#include "vole/errgroup.h"
#include "vole/go.h"
#include "vole/internal/atomic.h"
#include "vole/runtime.h"
#include "vole/select.h"
#include "vole/sync.h"
#include "vole/task.h"
#include "vole/testing.h"
#include "vole/time.h"

#include "runtime/sanitizer.h"

namespace vole {
namespace {

using internal::atomic;
using namespace std::chrono_literals;

TEST(go_synctest, TestNow) {
  time_point const outside = internal::monotonic_now();
  synctest::test([&] {
    time_point const start = time::now();
    go([start] { EXPECT_EQ(time::now(), start); });
    time::sleep(24h);
    go([start] { EXPECT_EQ(time::since(start), 24h); });
    EXPECT_EQ(time::since(start), 24h);
  });
  EXPECT_LT(internal::monotonic_now() - outside, 24h);
  EXPECT_LT(time::now() - outside, 24h);
}

TEST(go_synctest, TestRunEmpty) {
  synctest::test([] {});
}

TEST(go_synctest, TestSimpleWait) {
  synctest::test([] { synctest::wait(); });
}

TEST(go_synctest, TestGoroutineWait) {
  synctest::test([] {
    go([] {});
    synctest::wait();
  });
}

// Wait returns once a chain of goroutines, each of which makes the next run, has come to rest.
TEST(go_synctest, TestWait) {
  synctest::test([] {
    atomic<bool> done{false};
    chan<int> c(0);
    go([&] {
      for (int i = 0; i < 10; ++i) {
        time::sleep(1ns);
        c.send(i);
      }
      done.store(true);
    });
    int got = -1;
    for (int i = 0; i < 10; ++i) {
      got = c.recv().value();
      EXPECT_EQ(got, i);
    }
    synctest::wait();
    EXPECT_TRUE(done.load());
  });
}

TEST(go_synctest, TestTimerReadBeforeDeadline) {
  synctest::test([] {
    time_point const start = time::now();
    time::timer const t(5s);
    EXPECT_EQ(t.c().recv().value() - start, 5s);
    EXPECT_EQ(time::since(start), 5s);
  });
}

TEST(go_synctest, TestTimerReadAfterDeadline) {
  synctest::test([] {
    time_point const start = time::now();
    time::timer const t(1s);
    time::sleep(5s);
    EXPECT_EQ(t.c().recv().value() - start, 1s);
    EXPECT_EQ(time::since(start), 5s);
  });
}

TEST(go_synctest, TestTimerReset) {
  synctest::test([] {
    time_point const start = time::now();
    time::timer const t(1s);
    EXPECT_EQ(t.c().recv().value() - start, 1s);
    t.reset(1s);
    EXPECT_EQ(t.c().recv().value() - start, 2s);
    t.reset(10s);
    time::sleep(2s);
    EXPECT_TRUE(t.reset(1s));
    EXPECT_EQ(t.c().recv().value() - start, 5s);
  });
}

TEST(go_synctest, TestTimeAfter) {
  synctest::test([] {
    int runs = 0;
    time::after_func(1s, [&] {
      ++runs;
      time::after_func(1s, [&] { ++runs; });
    });
    time::sleep(2s);
    synctest::wait();
    EXPECT_EQ(runs, 2);
  });
}

// Among goroutines that sleep, the order of their times is the order of their doings.
TEST(go_synctest, TestSleepsEndInOrder) {
  synctest::test([] {
    std::vector<int> order;
    sync::wait_group all;
    std::vector<int> times(100);
    std::iota(times.begin(), times.end(), 0);
    std::ranges::shuffle(times, std::mt19937(1));
    for (int const seconds : times) {
      all.go([&, seconds] {
        time::sleep(std::chrono::seconds(seconds));
        order.push_back(seconds);
      });
    }
    all.wait();
    EXPECT_EQ(order.size(), 100U);
    EXPECT_TRUE(std::ranges::is_sorted(order));
  });
}

TEST(go_synctest, TestTimerAfterBubbleExit) {
  recv_chan<time_point> left;
  synctest::test([&] { left = time::after(1ms); });
  EXPECT_TRUE(left.recv().has_value());
}

// Goes round until both outcomes have been seen; the bubble makes no promise of either.
void expect_both(std::function<int()> const& zero_or_one) {
  bool seen[2] = {false, false};
  for (int i = 0; i < 1000 && !(seen[0] && seen[1]); ++i) {
    int const outcome = zero_or_one();
    ASSERT_TRUE(outcome == 0 || outcome == 1) << outcome;
    seen[outcome] = true;
    synctest::wait();
  }
  EXPECT_TRUE(seen[0]) << "the first of two at one instant never came first";
  EXPECT_TRUE(seen[1]) << "the second of two at one instant never came first";
}

TEST(go_synctest, TestTimerNondeterminism) {
  synctest::test([] {
    expect_both([] {
      time::timer const first(1ns);
      time::timer const second(1ns);
      return select(recv(first.c()), recv(second.c()));
    });
  });
}

TEST(go_synctest, TestSleepNondeterminism) {
  synctest::test([] {
    expect_both([] {
      atomic<int> awake{-1};
      sync::wait_group both;
      for (int i = 0; i < 2; ++i) {
        both.go([&awake, i] {
          time::sleep(1ns);
          int nobody = -1;
          awake.compare_exchange_strong(nobody, i);
        });
      }
      both.wait();
      return awake.load();
    });
  });
}

// A timer without a delay has its value at once, not when the others have come to rest.
TEST(go_synctest, TestTimerRunsImmediately) {
  synctest::test([] {
    time_point const start = time::now();
    time::timer const t(0ns);
    time_point sent{};
    EXPECT_EQ(select(recv(t.c(), &sent), otherwise()), 0);
    EXPECT_EQ(sent, start);
  });
}

TEST(go_synctest, TestTimerRanInPast) {
  synctest::test([] {
    time_point const due = time::now() + 1s;
    time::timer const t(1s);
    time::sleep(2s);
    time_point sent{};
    EXPECT_EQ(select(recv(t.c(), &sent), otherwise()), 0);
    EXPECT_EQ(sent, due);
  });
}

// Neither does a function without a delay wait for the one that asks for it to rest.
TEST(go_synctest, TestAfterFuncRunsImmediately) {
  synctest::test([] {
    time_point const start = time::now();
    atomic<bool> armed_so{false};
    time::after_func(0ns, [&] { armed_so.store(true); });
    while (!armed_so.load()) runtime::yield();

    atomic<bool> moved_so{false};
    auto const late = time::after_func(1h, [&] { moved_so.store(true); });
    EXPECT_TRUE(late.reset(0ns));
    while (!moved_so.load()) runtime::yield();
    EXPECT_EQ(time::now(), start);
  });
}

TEST(go_synctest, TestTimerResetZeroDoNotHang) {
  synctest::test([] {
    time::timer const timer(0ns);
    auto [ctx, cancel] = context::with_cancel(context::background());
    atomic<int> fired{0};
    go([&, done = ctx.done()] {
      while (select(recv(done), recv(timer.c())) == 1) ++fired;
    });
    synctest::wait();
    EXPECT_EQ(fired.load(), 1);
    timer.reset(0ns);
    synctest::wait();
    EXPECT_EQ(fired.load(), 2);
    cancel();
    synctest::wait();
  });
}

TEST(go_synctest, TestTicker) {
  synctest::test([] {
    time_point const start = time::now();
    time::ticker const every(1min);
    for (int i = 1; i <= 60; ++i) {
      every.c().recv();
      EXPECT_EQ(time::since(start), i * 1min);
    }
    every.stop();
  });
}

TEST(go_synctest, TestContextWithTimeout) {
  synctest::test([] {
    auto [ctx, cancel] = context::with_timeout(context::background(), 5s);
    time::sleep(5s - 1ns);
    synctest::wait();
    EXPECT_FALSE(ctx.err());
    time::sleep(1ns);
    synctest::wait();
    EXPECT_TRUE(errors::is(ctx.err(), context::deadline_exceeded));
  });
}

TEST(go_synctest, TestContextAfterFunc) {
  synctest::test([] {
    auto [ctx, cancel] = context::with_cancel(context::background());
    chan<int> c(0);
    go([&c, done = ctx.done()] {
      done.recv();
      c.close();
    });
    synctest::wait();
    EXPECT_FALSE(ctx.err());
    cancel();
    synctest::wait();
    EXPECT_FALSE(c.recv().has_value());
  });
}

TEST(go_synctest, TestCond) {
  synctest::test([] {
    sync::mutex mu;
    sync::cond cond(mu);
    time_point const start = time::now();
    time::after_func(1min, [&] { cond.signal(); });
    mu.lock();
    cond.wait();
    mu.unlock();
    EXPECT_EQ(time::since(start), 1min);

    atomic<int> woken{0};
    for (int i = 0; i < 3; ++i) {
      go([&] {
        mu.lock();
        cond.wait();
        mu.unlock();
        woken.fetch_add(1);
      });
    }
    synctest::wait();
    EXPECT_EQ(woken.load(), 0);
    cond.broadcast();
    synctest::wait();
    EXPECT_EQ(woken.load(), 3);
  });
}

TEST(go_synctest, TestWaitGroupInBubble) {
  synctest::test([] {
    sync::wait_group wg;
    time_point const start = time::now();
    wg.go([] { time::sleep(1s); });
    wg.wait();
    EXPECT_EQ(time::since(start), 1s);
  });
}

TEST(go_synctest, TestWaitGroupRacingAdds) {
  synctest::test([] {
    sync::wait_group wg;
    atomic<int> ended{0};
    for (int i = 0; i < 100; ++i) wg.go([&] { ++ended; });
    wg.wait();
    EXPECT_EQ(ended.load(), 100);
  });
}

sync::wait_group of_the_program;

// Whether it stands among the program's objects or on the heap, and for several bubbles in turn: a
// wait in a bubble is a rest.
TEST(go_synctest, TestWaitGroupLinkerAllocated) {
  for (int bubble = 0; bubble < 2; ++bubble) {
    synctest::test([] {
      time_point const start = time::now();
      of_the_program.go([] { time::sleep(1s); });
      of_the_program.wait();
      EXPECT_EQ(time::since(start), 1s);
    });
  }
}

TEST(go_synctest, TestWaitGroupHeapAllocated) {
  auto const wg = std::make_unique<sync::wait_group>();
  synctest::test([&] {
    wg->add(1);
    atomic<bool> over{false};
    go([&] {
      wg->wait();
      over.store(true);
    });
    synctest::wait();
    EXPECT_FALSE(over.load());
    wg->done();
    synctest::wait();
    EXPECT_TRUE(over.load());
  });
}

TEST(go_synctest, TestWaitGroupManyBubbles) {
  // ThreadSanitizer knows 8,128 goroutines at most.
  int const many = VOLE_ASAN || VOLE_TSAN ? 40 : 100;
  sync::wait_group bubbles;
  atomic<int> ended{0};
  for (int i = 0; i < many; ++i) {
    bubbles.go([&] {
      synctest::test([&] {
        chan<unit> const over(0);
        sync::wait_group inside;
        for (int k = 0; k < many; ++k) {
          inside.go([&, over] {
            over.recv();
            ++ended;
          });
        }
        synctest::wait();
        over.close();
        inside.wait();
      });
    });
  }
  bubbles.wait();
  EXPECT_EQ(ended.load(), many * many);
}

// The example of the package.
TEST(go_synctest, TestTime) {
  synctest::test([] {
    time_point const start = time::now();
    duration seen{};
    go([&] {
      time::sleep(1ns);
      seen = time::since(start);
    });
    time::sleep(2ns);
    EXPECT_EQ(seen, 1ns);
    EXPECT_EQ(time::since(start), 2ns);
  });
}

// Go's test has a context of its own, canceled at its end; here the one that runs the test has.
TEST(go_synctest, TestContext) {
  std::string state = "not begun";
  synctest::test([&] {
    auto [ctx, cancel] = context::with_cancel(context::background());
    go([&, done = ctx.done()] {
      state = "waits for the context";
      done.recv();
      state = "over";
    });
    synctest::wait();
    EXPECT_EQ(state, "waits for the context");
  });
  EXPECT_EQ(state, "over");
}

TEST(go_synctest, TestTaskAndErrgroupInBubble) {
  synctest::test([] {
    time_point const start = time::now();
    context const ctx = context::background();
    task<int> seven = spawn([] {
      time::sleep(3s);
      return 7;
    });
    EXPECT_EQ(*seven.get(ctx), 7);
    errgroup::group g(ctx);
    g.set_limit(2);
    for (int i = 0; i < 4; ++i) {
      g.go([]() -> error {
        time::sleep(1s);
        return nullptr;
      });
    }
    EXPECT_FALSE(g.wait());
    EXPECT_EQ(time::since(start), 5s);
  });
}

// A lock may be held by somebody outside: who waits for one is not at rest.
TEST(go_synctest, TestMutexIsNotDurable) {
  synctest::test([] {
    sync::mutex mu;
    mu.lock();
    atomic<bool> got{false};
    go([&] {
      mu.lock();
      got.store(true);
      mu.unlock();
    });
    time_point const start = time::now();
    go([&] { mu.unlock(); });
    synctest::wait();
    EXPECT_TRUE(got.load());
    EXPECT_EQ(time::now(), start);
  });
}

TEST(go_synctest, TestChannelFromOutsideEndsByOthers) {
  chan<int> in(1);
  chan<int> out(1);
  in.send(1);
  synctest::test([&] {
    EXPECT_EQ(in.recv().value(), 1);
    out.send(2);
  });
  EXPECT_EQ(out.recv().value(), 2);
}

// Every word of the bubble's bookkeeping, under goroutines that wake each other as they park.
TEST(go_synctest, TestManyAtOnce) {
  constexpr int pairs = 40;
  synctest::test([] {
    time_point const start = time::now();
    atomic<int> turns{0};
    sync::wait_group all;
    for (int p = 0; p < pairs; ++p) {
      auto const ping = chan<int>(0);
      auto const pong = chan<int>(0);
      all.go([=] {
        for (int i = 0; i < 50; ++i) {
          ping.send(i);
          pong.recv();
          time::sleep(1ms);
        }
      });
      all.go([=, &turns] {
        for (int i = 0; i < 50; ++i) {
          ping.recv();
          pong.send(i);
          turns.fetch_add(1);
        }
      });
    }
    all.wait();
    EXPECT_EQ(turns.load(), pairs * 50);
    EXPECT_EQ(time::since(start), 50ms);
  });
}

TEST(go_synctest_death, TestDeadlockRoot) {
  EXPECT_DEATH(synctest::test([] { chan<int>(0).recv(); }),
               "synctest: all goroutines of the bubble wait for ever");
}

TEST(go_synctest_death, TestDeadlockChild) {
  EXPECT_DEATH(synctest::test([] { go([] { chan<int>(0).recv(); }); }),
               "synctest: the main goroutine of the bubble has ended and the others wait for ever");
}

TEST(go_synctest_death, TestWaitOutsideOfABubble) {
  EXPECT_DEATH(synctest::wait(), "synctest::wait\\(\\) outside of synctest::test\\(\\)");
}

TEST(go_synctest_death, TestBubbleInABubble) {
  EXPECT_DEATH(synctest::test([] { synctest::test([] {}); }), "inside of a bubble");
}

TEST(go_synctest_death, TestTwoInWait) {
  EXPECT_DEATH(synctest::test([] {
                 go([] { synctest::wait(); });
                 synctest::wait();
               }),
               "two goroutines of a bubble are in synctest::wait\\(\\)");
}

}  // namespace
}  // namespace vole
