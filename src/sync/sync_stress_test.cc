// SPDX-License-Identifier: Apache-2.0
// The primitives under load, with waits that end early: nobody is forgotten, nothing is counted
// twice.
#include <array>
#include <functional>
#include <gtest/gtest.h>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "vole/chan.h"
#include "vole/go.h"
#include "vole/runtime.h"
#include "vole/sync.h"
#include "vole/time.h"

#include "sync/threads_and_goroutines_test.h"

namespace vole {
namespace {

using internal::wake_reason;
using namespace std::chrono_literals;

internal::park_limit in(duration d) {
  return {.deadline = time::now() + d};
}

TEST(sync_stress, mutex_with_waits_that_end_early) {
  sync::mutex mu;
  int counter = 0;
  internal::atomic<int> locked{0};
  sync::wait_group wg;
  auto const body = [&](int g) {
    for (int i = 0; i < 1500; ++i) {
      if ((i + g) % 3 == 0) {
        mu.lock();
      } else if (mu.lock_until(in(std::chrono::microseconds(i % 50))) != wake_reason::ready) {
        continue;
      }
      ++counter;
      if (i % 11 == 0) runtime::yield();
      mu.unlock();
      locked.fetch_add(1);
    }
  };
  for (int g = 0; g < 12; ++g) wg.go([&, g] { body(g); });
  std::thread outside([&] { body(99); });
  outside.join();
  wg.wait();
  EXPECT_EQ(counter, locked.load());
  EXPECT_TRUE(mu.try_lock());
  mu.unlock();
}

TEST(sync_stress, mutex_in_hand_off_mode) {
  sync::mutex mu;
  int counter = 0;
  sync::wait_group wg;
  for (int g = 0; g < 6; ++g) {
    wg.go([&, g] {
      for (int i = 0; i < 40; ++i) {
        mu.lock();
        ++counter;
        if ((i + g) % 4 == 0) time::sleep(200us);  // long enough that somebody starves
        mu.unlock();
      }
    });
  }
  wg.wait();
  EXPECT_EQ(counter, 240);
}

TEST(sync_stress, semaphore_with_waits_that_end_early) {
  sync::semaphore sem(5);
  internal::atomic<int> out{0};
  sync::wait_group wg;
  for (int g = 0; g < 12; ++g) {
    wg.go([&, g] {
      for (int i = 0; i < 600; ++i) {
        int const n = (i + g) % 5 + 1;
        if (i % 2 == 0) {
          sem.acquire(n);
        } else if (sem.acquire_until(n, in(std::chrono::microseconds(i % 40))) !=
                   wake_reason::ready) {
          continue;
        }
        EXPECT_LE(out.fetch_add(n) + n, 5);
        if (i % 7 == 0) runtime::yield();
        out.fetch_sub(n);
        sem.release(n);
      }
    });
  }
  wg.wait();
  EXPECT_TRUE(sem.try_acquire(5));
  sem.release(5);
}

TEST(sync_stress, cond_as_a_bounded_queue) {
  sync::mutex mu;
  sync::cond not_full(mu);
  sync::cond not_empty(mu);
  std::vector<int> queue;
  constexpr int each = 1500;
  long sum = 0;
  sync::wait_group wg;
  for (int g = 0; g < 4; ++g) {
    wg.go([&] {
      for (int i = 1; i <= each; ++i) {
        std::lock_guard<sync::mutex> const lock(mu);
        not_full.wait([&] { return queue.size() < 4; });
        queue.push_back(i);
        not_empty.signal();
      }
    });
    wg.go([&] {
      for (int i = 0; i < each; ++i) {
        std::lock_guard<sync::mutex> const lock(mu);
        while (queue.empty()) {
          static_cast<void>(not_empty.wait_until(in(std::chrono::microseconds(i % 60))));
        }
        sum += queue.back();
        queue.pop_back();
        not_full.signal();
      }
    });
  }
  wg.wait();
  EXPECT_EQ(sum, 4L * each * (each + 1) / 2);
}

TEST(sync_stress, cond_is_broadcast_by_several_at_once) {
  for (int round = 0; round < 300; ++round) {
    constexpr int waiters = 12;
    sync::mutex mu;
    sync::cond c(mu);
    bool open = false;
    chan<unit> waits(waiters);
    sync::wait_group wg;
    for (int i = 0; i < waiters; ++i) {
      wg.go([&] {
        sync::lock_guard const hold(mu);
        waits.send({});
        while (!open) c.wait();
      });
    }
    for (int i = 0; i < waiters; ++i) waits.recv();
    mu.lock();  // from here on they wait
    open = true;
    mu.unlock();
    wg.go([&] { c.broadcast(); });
    wg.go([&] { c.signal(); });
    std::thread outside([&] { c.broadcast(); });
    c.broadcast();
    outside.join();
    wg.wait();
  }
}

TEST(sync_stress, wait_group_waited_for_by_many) {
  for (int round = 0; round < 300; ++round) {
    sync::wait_group work;
    sync::wait_group waiting;
    internal::atomic<int> done{0};
    work.add(4);
    for (int i = 0; i < 4; ++i) {
      go([&] {
        done.fetch_add(1);
        work.done();
      });
      waiting.go([&, i] {
        while (work.wait_until(in(std::chrono::microseconds(i * 5))) != wake_reason::ready) {
        }
        EXPECT_EQ(done.load(), 4);
      });
    }
    waiting.wait();
  }
}

TEST(sync_stress, once_by_goroutines_and_threads) {
  for (int round = 0; round < 100; ++round) {
    sync::once once;
    int runs = 0;
    sync::wait_group wg;
    auto const use = [&] {
      once.call([&] { ++runs; });
      EXPECT_EQ(runs, 1);
    };
    for (int i = 0; i < 4; ++i) wg.go(use);
    std::thread outside(use);
    outside.join();
    wg.wait();
  }
}

// --- plain threads and goroutines that wait for one another

constexpr int meetings = 200;

// Each waits for its turn, which one of the other kind hands on.
void meet_by_cond() {
  sync::mutex mu;
  sync::cond changed(mu);
  int turn = 0;
  by_threads_and_goroutines([&](int party) {
    for (int i = 0; i < meetings; ++i) {
      std::lock_guard<sync::mutex> const lock(mu);
      changed.wait([&] { return turn % parties == party; });
      ++turn;
      changed.broadcast();
    }
  });
  EXPECT_EQ(turn, parties * meetings);
}

// Each waits until all have written, and reads what they wrote.
void meet_by_wait_group() {
  std::vector<sync::wait_group> groups(meetings);
  std::vector<std::array<int, parties>> written(meetings);
  for (sync::wait_group& g : groups) g.add(parties);
  by_threads_and_goroutines([&](int party) {
    for (std::size_t i = 0; i < meetings; ++i) {
      written[i][static_cast<std::size_t>(party)] = party + 1;
      groups[i].done();
      groups[i].wait();
      EXPECT_EQ(std::accumulate(written[i].begin(), written[i].end(), 0),
                parties * (parties + 1) / 2);
    }
  });
}

// Who has all units is alone.
void meet_by_semaphore() {
  constexpr int all = 3;
  sync::semaphore sem(all);
  internal::atomic<int> out{0};
  int alone = 0;
  by_threads_and_goroutines([&](int party) {
    for (int i = 0; i < meetings; ++i) {
      int const n = (party + i) % all + 1;
      sem.acquire(n);
      EXPECT_LE(out.fetch_add(n) + n, all);
      if (n == all) ++alone;
      if (i % 5 == 0) runtime::yield();
      out.fetch_sub(n);
      sem.release(n);
    }
  });
  EXPECT_EQ(alone, parties * meetings / all);
  EXPECT_TRUE(sem.try_acquire(all));
}

class sync_of_threads_and_goroutines : public ::testing::TestWithParam<meeting> {};

TEST_P(sync_of_threads_and_goroutines, wakes_both) {
  GetParam().run();
}

INSTANTIATE_TEST_SUITE_P(each, sync_of_threads_and_goroutines,
                         ::testing::Values(meeting{"cond", &meet_by_cond},
                                           meeting{"wait_group", &meet_by_wait_group},
                                           meeting{"semaphore", &meet_by_semaphore}),
                         &name_of_meeting);

}  // namespace
}  // namespace vole
