// SPDX-License-Identifier: Apache-2.0
// What mutex, wait_group, once, cond and semaphore promise.
#include "vole/sync.h"

#include <gtest/gtest.h>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "vole/chan.h"
#include "vole/context.h"
#include "vole/go.h"
#include "vole/runtime.h"
#include "vole/testing.h"
#include "vole/time.h"

namespace vole {
namespace {

using internal::wake_reason;
using namespace std::chrono_literals;

internal::park_limit in(duration d) {
  return {.deadline = time::now() + d};
}

// --- mutex
// ---------------------------------------------------------------------------------------------

TEST(mutex, excludes) {
  sync::mutex mu;
  int counter = 0;  // no atomic: the mutex is what is tested
  sync::wait_group wg;
  for (int g = 0; g < 10; ++g) {
    wg.go([&] {
      for (int i = 0; i < 1000; ++i) {
        std::lock_guard<sync::mutex> const lock(mu);
        int const before = counter;
        if (i % 100 == 0) runtime::yield();
        counter = before + 1;
      }
    });
  }
  wg.wait();
  EXPECT_EQ(counter, 10'000);
}

TEST(mutex, try_lock_takes_only_what_is_free) {
  sync::mutex mu;
  ASSERT_TRUE(mu.try_lock());
  EXPECT_FALSE(mu.try_lock());
  mu.unlock();
  EXPECT_TRUE(mu.try_lock());
  mu.unlock();
}

TEST(mutex, another_goroutine_may_unlock) {
  sync::mutex mu;
  mu.lock();
  go([&] { mu.unlock(); });
  mu.lock();
  mu.unlock();
}

TEST(mutex, waiters_run_in_order_when_nobody_overtakes) {
  sync::mutex mu;
  chan<int> order(8);
  sync::wait_group wg;
  mu.lock();
  for (int i = 0; i < 8; ++i) {
    wg.go([&, i] {
      sync::lock_guard const lock(mu);
      order.send(i);
    });
    testing::wait_until_parked(static_cast<std::size_t>(i + 1));
  }
  mu.unlock();
  wg.wait();
  for (int i = 0; i < 8; ++i) EXPECT_EQ(order.recv(), i);
}

TEST(mutex, limit_ends_a_wait_and_the_others_go_on) {
  sync::mutex mu;
  mu.lock();
  EXPECT_EQ(mu.lock_until(in(1ms)), wake_reason::deadline);
  internal::cancel_source source;
  sync::wait_group wg;
  wg.go([&] { EXPECT_EQ(mu.lock_until({.cancel = &source}), wake_reason::canceled); });
  testing::wait_until_parked(1);
  wg.go([&] {
    EXPECT_EQ(mu.lock_until(in(1h)), wake_reason::ready);
    mu.unlock();
  });
  testing::wait_until_parked(2);
  source.fire();
  testing::wait_until_parked(1);
  mu.unlock();
  wg.wait();
  EXPECT_TRUE(mu.try_lock());
  mu.unlock();
}

TEST(mutex, context_bounds_the_wait) {
  sync::mutex mu;
  mu.lock();
  auto [ctx, cancel] = context::with_timeout(context::background(), 1ms);
  EXPECT_TRUE(errors::is(lock(ctx, mu), context::deadline_exceeded));
  mu.unlock();
  EXPECT_FALSE(lock(context::background(), mu));
  mu.unlock();
}

// sync/mutex_test.go TestMutexFairness: one goroutine that hogs the mutex does not keep another
// from it.
TEST(mutex, waiter_is_not_starved_by_one_who_hogs_it) {
  sync::mutex mu;
  internal::atomic<bool> stop{false};
  sync::wait_group wg;
  wg.go([&] {
    while (!stop.load()) {
      mu.lock();
      time::sleep(100us);
      mu.unlock();
    }
  });
  for (int i = 0; i < 10; ++i) {
    time::sleep(100us);
    mu.lock();
    mu.unlock();
  }
  stop.store(true);
  wg.wait();
}

TEST(mutex, owner_that_got_it_may_destroy_it) {
  for (int i = 0; i < 2000; ++i) {
    struct guarded {
      sync::mutex mu;
      int refs = 2;
    };
    auto* const shared = new guarded;
    auto const drop = [shared] {
      shared->mu.lock();
      bool const last = --shared->refs == 0;
      shared->mu.unlock();
      if (last) delete shared;
    };
    sync::wait_group wg;
    wg.go(drop);
    wg.go(drop);
    wg.wait();
  }
}

TEST(mutex, plain_threads_may_use_it) {
  sync::mutex mu;
  int counter = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) {
        sync::lock_guard const lock(mu);
        ++counter;
      }
    });
  }
  for (int i = 0; i < 2000; ++i) {
    sync::lock_guard const lock(mu);
    ++counter;
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(counter, 8000);
}

TEST(mutex_death_test, unlock_of_unlocked_panics) {
  EXPECT_DEATH(
      {
        sync::mutex mu;
        mu.unlock();
      },
      "unlock of unlocked sync::mutex");
}

// --- wait_group
// ----------------------------------------------------------------------------------------

TEST(wait_group, waits_for_all) {
  sync::wait_group wg;
  internal::atomic<int> finished{0};
  for (int i = 0; i < 100; ++i) {
    wg.go([&] {
      runtime::yield();
      finished.fetch_add(1);
    });
  }
  wg.wait();
  EXPECT_EQ(finished.load(), 100);
}

TEST(wait_group, zero_does_not_wait) {
  sync::wait_group wg;
  wg.wait();
  wg.add(2);
  wg.add(-2);
  wg.wait();
}

TEST(wait_group, all_who_wait_are_released_and_it_may_be_used_again) {
  sync::wait_group work;
  for (int round = 0; round < 10; ++round) {
    sync::wait_group waiting;
    work.add(1);
    for (int i = 0; i < 5; ++i) waiting.go([&] { work.wait(); });
    testing::wait_until_parked(5);
    work.done();
    waiting.wait();
  }
}

TEST(wait_group, limit_ends_a_wait) {
  sync::wait_group wg;
  wg.add(1);
  EXPECT_EQ(wg.wait_until(in(1ms)), wake_reason::deadline);
  auto [ctx, cancel] = context::with_timeout(context::background(), 1ms);
  EXPECT_TRUE(errors::is(wait(ctx, wg), context::deadline_exceeded));
  wg.done();
  EXPECT_EQ(wg.wait_until(in(1h)), wake_reason::ready);
}

TEST(wait_group, goroutine_s_captures_are_gone_when_wait_returns) {
  for (int i = 0; i < 500; ++i) {
    auto const held = std::make_shared<int>(1);
    sync::wait_group wg;
    wg.go([held] { runtime::yield(); });
    wg.wait();
    EXPECT_EQ(held.use_count(), 1);
  }
}

TEST(wait_group, counts_a_goroutine_whose_exception_went_to_its_hook) {
  static internal::atomic<int> hooked{0};
  hooked.store(0);
  spawn_options options;
  options.on_exception = [](std::exception_ptr) { hooked.fetch_add(1); };
  sync::wait_group wg;
  auto const held = std::make_shared<int>(1);
  for (int i = 0; i < 10; ++i) {
    wg.go(options, [held] { throw std::runtime_error("gone"); });
  }
  wg.wait();
  EXPECT_EQ(held.use_count(), 1);
  while (hooked.load() != 10) runtime::yield();
}

TEST(wait_group, may_be_destroyed_as_soon_as_wait_returns) {
  for (int i = 0; i < 3000; ++i) {
    auto wg = std::make_unique<sync::wait_group>();
    sync::wait_group* const shared = wg.get();
    shared->add(2);
    go([shared] { shared->done(); });
    go([shared] { shared->done(); });
    // Waits of all kinds, so that the last done() finds waiters, late ones and none.
    if (i % 3 == 0) static_cast<void>(wg->wait_until(in(std::chrono::microseconds(i % 20))));
    wg->wait();
    wg.reset();
  }
}

TEST(wait_group_death_test, counter_must_not_be_negative) {
  EXPECT_DEATH(
      {
        sync::wait_group wg;
        wg.done();
      },
      "negative sync::wait_group counter");
}

// --- once
// ----------------------------------------------------------------------------------------------

TEST(once, runs_once_and_all_wait_for_it) {
  sync::once once;
  int runs = 0;
  sync::wait_group wg;
  for (int i = 0; i < 20; ++i) {
    wg.go([&] {
      once.call([&] {
        runtime::yield();
        ++runs;
      });
      EXPECT_EQ(runs, 1);
    });
  }
  wg.wait();
  EXPECT_TRUE(once.done());
}

TEST(once, limit_bounds_the_wait_for_another) {
  sync::once once;
  chan<unit> let_go(0);
  sync::wait_group wg;
  wg.go([&] { once.call([&] { let_go.recv(); }); });
  testing::wait_until_parked(1);
  EXPECT_EQ(once.call_until(in(1ms), [] { FAIL(); }), wake_reason::deadline);
  EXPECT_FALSE(once.done());
  let_go.send({});
  EXPECT_EQ(once.call_until(in(1h), [] { FAIL(); }), wake_reason::ready);
  wg.wait();
}

TEST(once, value_is_made_at_the_first_get) {
  int made = 0;
  sync::once_value const value = [&made] {
    ++made;
    return std::make_unique<int>(42);
  };
  EXPECT_EQ(made, 0);
  EXPECT_EQ(*value.get(), 42);
  EXPECT_EQ(*value(), 42);
  EXPECT_EQ(made, 1);
}

// --- cond
// ----------------------------------------------------------------------------------------------

TEST(cond, signal_wakes_one_in_order) {
  sync::mutex mu;
  sync::cond changed(mu);
  chan<int> woken(4);
  sync::wait_group wg;
  for (int i = 0; i < 4; ++i) {
    wg.go([&, i] {
      mu.lock();
      changed.wait();
      mu.unlock();
      woken.send(i);
    });
    testing::wait_until_parked(static_cast<std::size_t>(i + 1));
  }
  for (int i = 0; i < 4; ++i) {
    changed.signal();
    EXPECT_EQ(woken.recv(), i);
  }
  changed.signal();  // nobody waits: nothing is kept
  wg.wait();
}

TEST(cond, broadcast_wakes_all) {
  sync::mutex mu;
  sync::cond changed(mu);
  bool ready = false;
  sync::wait_group wg;
  for (int i = 0; i < 20; ++i) {
    wg.go([&] {
      std::lock_guard<sync::mutex> const lock(mu);
      changed.wait([&] { return ready; });
    });
  }
  testing::wait_until_parked(20);
  mu.lock();
  ready = true;
  mu.unlock();
  changed.broadcast();
  wg.wait();
}

TEST(cond, limit_ends_a_wait_with_the_mutex_held) {
  sync::mutex mu;
  sync::cond changed(mu);
  mu.lock();
  EXPECT_EQ(changed.wait_until(in(1ms)), wake_reason::deadline);
  EXPECT_FALSE(mu.try_lock());
  mu.unlock();
}

// --- semaphore
// -----------------------------------------------------------------------------------------

TEST(semaphore, bounds_what_is_out) {
  sync::semaphore sem(3);
  internal::atomic<int> inside{0};
  sync::wait_group wg;
  for (int g = 0; g < 20; ++g) {
    wg.go([&] {
      for (int i = 0; i < 50; ++i) {
        sem.acquire();
        EXPECT_LE(inside.fetch_add(1) + 1, 3);
        runtime::yield();
        inside.fetch_sub(1);
        sem.release();
      }
    });
  }
  wg.wait();
  EXPECT_TRUE(sem.try_acquire(3));
  EXPECT_FALSE(sem.try_acquire(1));
  sem.release(3);
}

TEST(semaphore, large_wish_is_not_overtaken_by_small_ones) {
  sync::semaphore sem(4);
  sem.acquire(2);
  chan<int> got(2);
  sync::wait_group wg;
  wg.go([&] {
    sem.acquire(4);
    got.send(4);
    sem.release(4);
  });
  testing::wait_until_parked(1);
  wg.go([&] {
    sem.acquire(1);  // two are free, but it stands behind
    got.send(1);
    sem.release(1);
  });
  testing::wait_until_parked(2);
  EXPECT_FALSE(sem.try_acquire(1));
  sem.release(2);
  EXPECT_EQ(got.recv(), 4);
  EXPECT_EQ(got.recv(), 1);
  wg.wait();
}

TEST(semaphore, one_who_gives_up_makes_room_for_those_behind) {
  sync::semaphore sem(2);
  sem.acquire(1);
  internal::cancel_source source;
  sync::wait_group wg;
  wg.go([&] { EXPECT_EQ(sem.acquire_until(2, {.cancel = &source}), wake_reason::canceled); });
  testing::wait_until_parked(1);
  wg.go([&] { EXPECT_EQ(sem.acquire_until(1, in(1h)), wake_reason::ready); });
  testing::wait_until_parked(2);
  source.fire();
  wg.wait();
  sem.release(2);
  EXPECT_EQ(sem.acquire_until(3, in(1ms)), wake_reason::deadline);  // more than there are
  EXPECT_TRUE(sem.try_acquire(2));
}

TEST(semaphore_death_test, misuse_panics) {
  EXPECT_DEATH(sync::semaphore(1).release(1), "1 units given back to a semaphore of 1 with 1 free");
  EXPECT_DEATH(sync::semaphore(1).acquire(2), "2 units of a semaphore that has 1");
}

}  // namespace
}  // namespace vole
