// SPDX-License-Identifier: Apache-2.0
// What rw_mutex promises, waits that end early above all.
#include "vole/sync/rw_mutex.h"

#include <gtest/gtest.h>
#include <memory>
#include <shared_mutex>
#include <thread>
#include <vector>

#include "vole/chan.h"
#include "vole/context.h"
#include "vole/go.h"
#include "vole/runtime.h"
#include "vole/sync.h"
#include "vole/testing.h"
#include "vole/time.h"

namespace vole {
namespace sync {

// Biases a mutex to its readers as if they had met for long. The caller is inside as one.
struct rw_mutex_access {
  static void bias(rw_mutex& mu) { mu.bias(); }
  static bool is_biased(rw_mutex const& mu) {
    return mu.bias_.load(internal::memory_order_relaxed) != nullptr;
  }
};

}  // namespace sync

namespace {

using internal::wake_reason;
using sync::rw_mutex_access;
using namespace std::chrono_literals;

internal::park_limit in(duration d) {
  return {.deadline = time::now() + d};
}

TEST(rw_mutex, readers_share_and_exclude_a_writer) {
  sync::rw_mutex mu;
  mu.rlock();
  mu.rlock();
  EXPECT_TRUE(mu.try_rlock());
  EXPECT_FALSE(mu.try_lock());
  mu.runlock();
  mu.runlock();
  EXPECT_FALSE(mu.try_lock());
  mu.runlock();
  EXPECT_TRUE(mu.try_lock());
  EXPECT_FALSE(mu.try_rlock());
  EXPECT_FALSE(mu.try_lock());
  mu.unlock();
  {
    std::shared_lock<sync::rw_mutex> const reading(mu);
    EXPECT_TRUE(mu.try_rlock());
    mu.runlock();
  }
  {
    sync::read_guard const reading(mu);
  }
  sync::write_guard const writing(mu);
  EXPECT_FALSE(mu.try_rlock());
}

TEST(rw_mutex, waiting_writer_keeps_new_readers_out) {
  sync::rw_mutex mu;
  chan<char> order(3);
  sync::wait_group wg;
  mu.rlock();
  wg.go([&] {
    mu.lock();
    order.send('w');
    mu.unlock();
  });
  testing::wait_until_parked(1);
  EXPECT_FALSE(mu.try_rlock());
  for (int i = 0; i < 2; ++i) {
    wg.go([&] {
      mu.rlock();
      order.send('r');
      mu.runlock();
    });
  }
  testing::wait_until_parked(3);
  mu.runlock();
  wg.wait();
  EXPECT_EQ(order.recv(), 'w');
  EXPECT_EQ(order.recv(), 'r');
  EXPECT_EQ(order.recv(), 'r');
}

TEST(rw_mutex, readers_that_waited_go_before_the_next_writer) {
  sync::rw_mutex mu;
  chan<char> order(4);
  sync::wait_group wg;
  mu.lock();
  wg.go([&] {
    sync::write_guard const lock(mu);
    order.send('w');
  });
  testing::wait_until_parked(1);
  for (int i = 0; i < 3; ++i) {
    wg.go([&] {
      sync::read_guard const lock(mu);
      order.send('r');
    });
  }
  testing::wait_until_parked(4);
  mu.unlock();
  wg.wait();
  for (char const expected : {'r', 'r', 'r', 'w'}) EXPECT_EQ(order.recv(), expected);
}

TEST(rw_mutex, writer_that_gives_up_lets_the_readers_in_at_once) {
  sync::rw_mutex mu;
  internal::cancel_source source;
  sync::wait_group wg;
  mu.rlock();
  wg.go([&] { EXPECT_EQ(mu.lock_until({.cancel = &source}), wake_reason::canceled); });
  testing::wait_until_parked(1);
  chan<unit> reading(0);
  chan<unit> leave(0);
  wg.go([&] {
    mu.rlock();
    reading.send({});
    leave.recv();
    mu.runlock();
  });
  testing::wait_until_parked(2);
  source.fire();
  reading.recv();  // although the first reader is still inside
  EXPECT_EQ(mu.rlock_until(in(1h)), wake_reason::ready);
  EXPECT_FALSE(mu.try_lock());
  // A second writer takes the first one's place.
  wg.go([&] {
    mu.lock();
    mu.unlock();
  });
  testing::wait_until_parked(2);
  EXPECT_FALSE(mu.try_rlock());
  mu.runlock();
  mu.runlock();
  EXPECT_FALSE(mu.try_lock());
  leave.send({});
  wg.wait();
  EXPECT_TRUE(mu.try_lock());
  mu.unlock();
}

TEST(rw_mutex, reader_that_gives_up_is_not_counted) {
  sync::rw_mutex mu;
  mu.lock();
  EXPECT_EQ(mu.rlock_until(in(1ms)), wake_reason::deadline);
  EXPECT_EQ(mu.lock_until(in(1ms)), wake_reason::deadline);
  mu.unlock();
  EXPECT_TRUE(mu.try_lock());
  mu.unlock();
}

TEST(rw_mutex, context_bounds_both_waits) {
  sync::rw_mutex mu;
  mu.lock();
  auto [ctx, cancel] = context::with_timeout(context::background(), 1ms);
  EXPECT_TRUE(errors::is(lock(ctx, mu), context::deadline_exceeded));
  EXPECT_TRUE(errors::is(rlock(ctx, mu), context::deadline_exceeded));
  mu.unlock();
}

// Readers, writers and waits that end early, all at once: who is inside is right at every moment.
TEST(rw_mutex, stress) {
  sync::rw_mutex mu;
  internal::atomic<int> readers{0};
  internal::atomic<int> writers{0};
  internal::atomic<int> timeouts{0};
  int written = 0;
  int expected = 0;
  internal::atomic<int> writes{0};
  sync::wait_group wg;
  auto const read = [&] {
    EXPECT_EQ(writers.load(), 0);
    readers.fetch_add(1);
    if (written % 7 == 0) runtime::yield();
    readers.fetch_sub(1);
    mu.runlock();
  };
  auto const write = [&] {
    EXPECT_EQ(writers.fetch_add(1), 0);
    EXPECT_EQ(readers.load(), 0);
    ++written;
    if (written % 5 == 0) runtime::yield();
    writes.fetch_add(1);
    writers.fetch_sub(1);
    mu.unlock();
  };
  for (int g = 0; g < 12; ++g) {
    wg.go([&, g] {
      for (int i = 0; i < 800; ++i) {
        auto const patience = std::chrono::microseconds((i * 7 + g) % 30);
        bool const writes_now = (i + g) % 4 == 0;
        if (i % 3 != 0) {
          if (writes_now) {
            mu.lock();
            write();
          } else {
            mu.rlock();
            read();
          }
        } else if (writes_now) {
          mu.lock_until(in(patience)) == wake_reason::ready ? write() : void(timeouts.fetch_add(1));
        } else {
          mu.rlock_until(in(patience)) == wake_reason::ready ? read() : void(timeouts.fetch_add(1));
        }
      }
    });
  }
  wg.wait();
  expected = writes.load();
  EXPECT_EQ(written, expected);
  EXPECT_TRUE(mu.try_lock());
  mu.unlock();
}

void bias(sync::rw_mutex& mu) {
  mu.rlock();
  rw_mutex_access::bias(mu);
  mu.runlock();
}

TEST(rw_mutex, writer_waits_for_readers_that_came_while_it_was_biased) {
  sync::rw_mutex mu;
  mu.rlock();  // counted in the word
  rw_mutex_access::bias(mu);
  ASSERT_TRUE(rw_mutex_access::is_biased(mu));
  mu.rlock();  // counted in a slot
  EXPECT_FALSE(mu.try_lock());
  EXPECT_FALSE(rw_mutex_access::is_biased(mu));
  mu.runlock();
  bias(mu);
  mu.runlock();  // it came by the word and leaves by a slot
  EXPECT_TRUE(mu.try_lock());
  EXPECT_FALSE(mu.try_rlock());
  mu.unlock();

  bias(mu);
  ASSERT_TRUE(mu.try_rlock());
  chan<unit> written(0);
  go([&] {
    mu.lock();
    mu.unlock();
    written.send({});
  });
  testing::wait_until_parked(1);
  EXPECT_FALSE(mu.try_rlock());
  mu.runlock();
  written.recv();
}

TEST(rw_mutex, readers_of_a_biased_mutex_may_be_threads_and_leave_elsewhere) {
  sync::rw_mutex mu;
  bias(mu);
  mu.rlock();
  std::thread([&] { mu.runlock(); }).join();  // out by the word, which counts -1 now
  std::thread([&] { mu.rlock(); }).join();
  mu.runlock();
  EXPECT_TRUE(rw_mutex_access::is_biased(mu));
  EXPECT_TRUE(mu.try_lock());
  mu.unlock();
}

TEST(rw_mutex_death_test, misuse_of_a_biased_one_is_found_by_the_next_writer) {
  EXPECT_DEATH(
      {
        sync::rw_mutex mu;
        bias(mu);
        mu.runlock();
        mu.lock();
      },
      "not locked for reading");
}

// Mostly readers, who are let in by slots again and again, and are counted out wherever they are.
TEST(rw_mutex, stress_biased) {
  sync::rw_mutex mu;
  int value = 0;  // no atomic: the mutex is what is tested
  internal::atomic<int> reads{0};
  sync::wait_group wg;
  for (int g = 0; g < 6; ++g) {
    wg.go([&, g] {
      for (int i = 0; i < 3000; ++i) {
        if ((i + g * 37) % 200 == 0) {
          sync::write_guard const lock(mu);
          int const before = value;
          if (i % 3 == 0) runtime::yield();
          value = before + 1;
          continue;
        }
        sync::read_guard const lock(mu);
        int const before = value;
        if (i % 64 == 0) rw_mutex_access::bias(mu);
        if (i % 16 == 0) runtime::yield();  // and perhaps goes on on another worker
        ASSERT_EQ(value, before);
        reads.fetch_add(1, internal::memory_order_relaxed);
      }
    });
  }
  wg.wait();
  EXPECT_EQ(value + reads.load(), 6 * 3000);
  bias(mu);
  EXPECT_TRUE(mu.try_lock());
  mu.unlock();
}

TEST(rw_mutex, owner_that_got_it_may_destroy_it) {
  for (int i = 0; i < 1000; ++i) {
    auto* const mu = new sync::rw_mutex;
    sync::wait_group wg;
    mu->rlock();
    mu->rlock();
    if (i % 2 == 0) rw_mutex_access::bias(*mu);
    wg.go([mu] { mu->runlock(); });
    wg.go([mu] { mu->runlock(); });
    mu->lock();
    mu->unlock();
    delete mu;
    wg.wait();
  }
}

TEST(rw_mutex, plain_threads_may_use_it) {
  sync::rw_mutex mu;
  int counter = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) {
        if (i % 2 == 0) {
          sync::write_guard const lock(mu);
          ++counter;
        } else {
          sync::read_guard const lock(mu);
          EXPECT_GE(counter, 0);
        }
      }
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(counter, 1500);
}

TEST(rw_mutex_death_test, misuse_panics) {
  EXPECT_DEATH(sync::rw_mutex().unlock(), "not locked for writing");
  EXPECT_DEATH(sync::rw_mutex().runlock(), "not locked for reading");
}

}  // namespace
}  // namespace vole
