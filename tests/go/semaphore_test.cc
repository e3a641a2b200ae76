// SPDX-License-Identifier: Apache-2.0
// What the tests of Go's golang.org/x/sync/semaphore check, under their names; see
// docs/internals/conformance.md.
#include <algorithm>
#include <gtest/gtest.h>
#include <memory>
#include <vector>

#include "vole/chan.h"
#include "vole/context.h"
#include "vole/errors.h"
#include "vole/go.h"
#include "vole/internal/atomic.h"
#include "vole/runtime.h"
#include "vole/sync.h"
#include "vole/testing.h"
#include "vole/time.h"

namespace vole {
namespace {

using internal::atomic;
using namespace std::chrono_literals;

TEST(go_semaphore, TestWeighted) {
  constexpr int n = 4;
  sync::semaphore sem(n);
  atomic<int> out{0};
  sync::wait_group wg;
  for (int i = 0; i < n; ++i) {
    wg.go([&, i] {
      for (int k = 0; k < 500; ++k) {
        sem.acquire(i);
        EXPECT_LE(out += i, n);
        if (k % 8 == 0) runtime::yield();
        out -= i;
        sem.release(i);
      }
    });
  }
  wg.wait();
  EXPECT_TRUE(sem.try_acquire(n));
}

TEST(go_semaphore, TestWeightedPanic) {
  EXPECT_DEATH(sync::semaphore(1).release(1), "given back to a semaphore");
}

TEST(go_semaphore, TestWeightedNegativeSizePanic) {
  EXPECT_DEATH(sync::semaphore(-1), "a semaphore of -1 units");
}

TEST(go_semaphore, TestWeightedZeroSize) {
  sync::semaphore none(0);
  EXPECT_TRUE(none.try_acquire(0));
  EXPECT_FALSE(none.try_acquire(1));
}

TEST(go_semaphore, TestWeightedNegativeWeightPanic) {
  EXPECT_DEATH(sync::semaphore(1).acquire(-1), "-1 units of a semaphore");
  EXPECT_DEATH(
      static_cast<void>(acquire(context::background(), *std::make_unique<sync::semaphore>(1), -1)),
      "-1 units of a semaphore");
  EXPECT_DEATH(static_cast<void>(sync::semaphore(1).try_acquire(-1)), "-1 units of a semaphore");
  EXPECT_DEATH(sync::semaphore(1).release(-1), "-1 units given back to a semaphore");
}

TEST(go_semaphore, TestWeightedTryAcquire) {
  sync::semaphore sem(2);
  sem.acquire(1);
  EXPECT_TRUE(sem.try_acquire(1));
  EXPECT_FALSE(sem.try_acquire(1));
  sem.release(2);
  EXPECT_TRUE(sem.try_acquire(1));
  sem.acquire(1);
  EXPECT_FALSE(sem.try_acquire(1));
}

TEST(go_semaphore, TestWeightedAcquire) {
  sync::semaphore sem(2);
  auto const acquired = [&](duration patience) {
    auto const [ctx, cancel] = context::with_timeout(context::background(), patience);
    return acquire(ctx, sem, 1) == nullptr;
  };
  sem.acquire(1);
  EXPECT_TRUE(acquired(1h));
  EXPECT_FALSE(acquired(10ms));
  sem.release(2);
  EXPECT_TRUE(acquired(1h));
  sem.acquire(1);
  EXPECT_FALSE(acquired(10ms));
}

// Who wants more than there is waits for the end of his context and stands in nobody's way.
TEST(go_semaphore, TestWeightedDoesntBlockIfTooBig) {
  constexpr std::int64_t n = 2;
  sync::semaphore sem(n);
  sync::wait_group wg;
  auto [ctx, cancel] = context::with_cancel(context::background());
  wg.go([&, ctx = ctx] { EXPECT_TRUE(errors::is(acquire(ctx, sem, n + 1), context::canceled)); });
  testing::wait_until_parked(1);
  sync::wait_group others;
  for (std::int64_t i = 0; i < n * 3; ++i) {
    others.go([&] {
      sem.acquire(1);
      runtime::yield();
      sem.release(1);
    });
  }
  others.wait();
  cancel();
  wg.wait();
}

TEST(go_semaphore, TestLargeAcquireDoesntStarve) {
  constexpr std::int64_t n = 4;
  sync::semaphore sem(n);
  atomic<bool> running{true};
  sync::wait_group wg;
  for (std::int64_t i = 0; i < n; ++i) {
    sem.acquire(1);
    wg.go([&] {
      while (running) {
        runtime::yield();
        sem.release(1);
        sem.acquire(1);
      }
      sem.release(1);
    });
  }
  sem.acquire(n);
  running = false;
  sem.release(n);
  wg.wait();
}

TEST(go_semaphore, TestAllocCancelDoesntStarve) {
  sync::semaphore sem(10);
  sem.acquire(1);
  auto [ctx, cancel] = context::with_cancel(context::background());
  sync::wait_group wg;
  wg.go([&, ctx = ctx] { EXPECT_TRUE(errors::is(acquire(ctx, sem, 10), context::canceled)); });
  while (sem.try_acquire(1)) {
    sem.release(1);
    runtime::yield();
  }
  wg.go([&] { cancel(); });
  sem.acquire(1);  // it stood behind the one who gives up
  sem.release(1);
  wg.wait();
}

TEST(go_semaphore, TestWeightedAcquireCanceled) {
  sync::semaphore sem(2);
  auto [ctx, cancel] = context::with_cancel(context::background());
  sem.acquire(1);
  chan<unit> ch(0);
  go([&, ch] {
    while (sem.try_acquire(1)) {
      sem.release(1);
      runtime::yield();
    }
    cancel();
    sem.release(1);
    ch.close();
  });
  EXPECT_TRUE(errors::is(acquire(ctx, sem, 2), context::canceled));
  ch.recv();
  EXPECT_TRUE(sem.try_acquire(2));
  sem.release(2);
  // A context that has ended gets nothing, even where nothing would have to be waited for.
  EXPECT_TRUE(errors::is(acquire(ctx, sem, 1), context::canceled));
  EXPECT_TRUE(sem.try_acquire(2));
}

}  // namespace
}  // namespace vole
