// SPDX-License-Identifier: Apache-2.0
// What Go's sync tests check of Mutex, RWMutex, WaitGroup, Once and Cond, under their names; see
// docs/internals/conformance.md.
#include "vole/sync.h"

#include <concepts>
#include <gtest/gtest.h>
#include <memory>
#include <shared_mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "vole/chan.h"
#include "vole/go.h"
#include "vole/internal/atomic.h"
#include "vole/runtime.h"
#include "vole/select.h"
#include "vole/testing.h"
#include "vole/time.h"

namespace vole {
namespace {

using internal::atomic;
using namespace std::chrono_literals;

// --- mutex_test.go

TEST(go_sync, TestMutex) {
  sync::mutex mu;
  mu.lock();
  EXPECT_FALSE(mu.try_lock());
  mu.unlock();
  ASSERT_TRUE(mu.try_lock());
  mu.unlock();

  int counter = 0;
  sync::wait_group wg;
  for (int g = 0; g < 10; ++g) {
    wg.go([&] {
      for (int i = 0; i < 1000; ++i) {
        if (i % 3 == 0) {
          if (mu.try_lock()) {
            ++counter;
            --counter;
            mu.unlock();
          }
        }
        sync::lock_guard const hold(mu);
        ++counter;
      }
    });
  }
  wg.wait();
  EXPECT_EQ(counter, 10'000);
}

TEST(go_sync, TestMutexMisuse) {
  constexpr char const* unlocked = "unlock of unlocked sync::mutex";
  constexpr char const* not_writing = "unlock of sync::rw_mutex not locked for writing";
  constexpr char const* not_reading = "runlock of sync::rw_mutex not locked for reading";
  sync::mutex mu;
  EXPECT_DEATH(mu.unlock(), unlocked);
  mu.lock();
  mu.unlock();
  EXPECT_DEATH(mu.unlock(), unlocked);

  sync::rw_mutex rw;
  EXPECT_DEATH(rw.unlock(), not_writing);
  EXPECT_DEATH(rw.runlock(), not_reading);
  rw.rlock();
  EXPECT_DEATH(rw.unlock(), not_writing);
  rw.runlock();
  EXPECT_DEATH(rw.runlock(), not_reading);
  rw.lock();
  EXPECT_DEATH(rw.runlock(), not_reading);
  rw.unlock();
  EXPECT_DEATH(rw.unlock(), not_writing);
}

// One who always has the mutex gives it to one who wants it now and then.
TEST(go_sync, TestMutexFairness) {
  sync::mutex mu;
  chan<unit> stop(0);
  sync::wait_group wg;
  wg.go([&] {
    do {
      mu.lock();
      time::sleep(100us);
      mu.unlock();
    } while (select(recv(stop), otherwise()) == 1);
  });
  for (int i = 0; i < 10; ++i) {
    time::sleep(100us);
    mu.lock();
    mu.unlock();
  }
  stop.close();
  wg.wait();
}

// --- rwmutex_test.go

TEST(go_sync, TestParallelReaders) {
  sync::rw_mutex mu;
  constexpr int readers = 4;
  sync::wait_group locked;
  sync::wait_group done;
  chan<unit> unlock(0);
  locked.add(readers);
  for (int i = 0; i < readers; ++i) {
    done.go([&] {
      mu.rlock();
      locked.done();
      unlock.recv();
      mu.runlock();
    });
  }
  locked.wait();  // all are inside at once
  unlock.close();
  done.wait();
}

void hammer_rw_mutex(int readers, int rounds) {
  sync::rw_mutex mu;
  atomic<int> activity{0};  // readers inside + 10,000 for each writer inside
  sync::wait_group wg;
  for (int w = 0; w < 2; ++w) {
    wg.go([&] {
      for (int i = 0; i < rounds; ++i) {
        mu.lock();
        ASSERT_EQ(activity.fetch_add(10'000), 0);
        if (i % 16 == 0) runtime::yield();
        activity.fetch_sub(10'000);
        mu.unlock();
      }
    });
  }
  for (int r = 0; r < readers; ++r) {
    wg.go([&] {
      for (int i = 0; i < rounds; ++i) {
        mu.rlock();
        ASSERT_LT(activity.fetch_add(1), 10'000);
        if (i % 16 == 0) runtime::yield();
        activity.fetch_sub(1);
        mu.runlock();
      }
    });
  }
  wg.wait();
}

TEST(go_sync, TestRWMutex) {
  sync::rw_mutex mu;
  mu.lock();
  EXPECT_FALSE(mu.try_lock());
  EXPECT_FALSE(mu.try_rlock());
  mu.unlock();
  ASSERT_TRUE(mu.try_lock());
  mu.unlock();
  ASSERT_TRUE(mu.try_rlock());
  ASSERT_TRUE(mu.try_rlock());
  EXPECT_FALSE(mu.try_lock());
  mu.runlock();
  mu.runlock();
  for (int const readers : {1, 3, 5, 10}) hammer_rw_mutex(readers, 500);
}

// The reader's side behind the general name for it: here std::shared_lock.
TEST(go_sync, TestRLocker) {
  sync::rw_mutex mu;
  chan<bool> wlocked(1);
  chan<bool> rlocked(1);
  constexpr int n = 10;
  sync::wait_group wg;
  wg.go([&] {
    for (int i = 0; i < n; ++i) {
      std::shared_lock<sync::rw_mutex> first(mu);
      std::shared_lock<sync::rw_mutex> second(mu);
      first.release();
      second.release();  // the other side unlocks both
      rlocked.send(true);
      mu.lock();
      wlocked.send(true);
    }
  });
  for (int i = 0; i < n; ++i) {
    rlocked.recv();
    mu.unlock_shared();
    EXPECT_EQ(wlocked.try_recv(), std::nullopt);
    mu.unlock_shared();
    wlocked.recv();
    EXPECT_EQ(rlocked.try_recv(), std::nullopt);
    mu.unlock();
  }
  wg.wait();
}

// --- waitgroup_test.go

TEST(go_sync, TestWaitGroup) {
  constexpr int n = 16;
  sync::wait_group first;
  sync::wait_group second;
  for (int round = 0; round < 8; ++round) {
    first.add(n);
    second.add(n);
    chan<bool> exited(n);
    for (int i = 0; i < n; ++i) {
      go([&, exited] {
        first.done();
        second.wait();
        exited.send(true);
      });
    }
    first.wait();
    for (int i = 0; i < n; ++i) {
      EXPECT_EQ(exited.try_recv(), std::nullopt) << "released too soon";
      second.done();
    }
    for (int i = 0; i < n; ++i) exited.recv();
  }
}

TEST(go_sync, TestWaitGroupMisuse) {
  EXPECT_DEATH(
      {
        sync::wait_group wg;
        wg.add(1);
        wg.done();
        wg.done();
      },
      "negative sync::wait_group counter");
}

TEST(go_sync, TestWaitGroupRace) {
  for (int i = 0; i < 1000; ++i) {
    sync::wait_group wg;
    atomic<int> n{0};
    for (int k = 0; k < 2; ++k) {
      wg.add(1);
      go([&] {
        ++n;
        wg.done();
      });
    }
    wg.wait();
    ASSERT_EQ(n, 2) << "woken too soon";
  }
}

TEST(go_sync, TestWaitGroupAlign) {
  struct {
    char x = 0;
    sync::wait_group wg;
  } odd;
  odd.wg.add(1);
  go([&] { odd.wg.done(); });
  odd.wg.wait();
}

TEST(go_sync, TestWaitGroupGo) {
  sync::wait_group wg;
  int i = 0;
  wg.go([&] { ++i; });
  wg.wait();
  EXPECT_EQ(i, 1);
}

// An exception that escapes ends the process before anybody's wait returns.
TEST(go_sync, TestIssue76126) {
  EXPECT_DEATH(
      {
        sync::wait_group wg;
        wg.go([] { throw std::runtime_error("test"); });
        wg.wait();
        std::_Exit(0);
      },
      "test");
}

// --- once_test.go, oncefunc_test.go

TEST(go_sync, TestOnce) {
  sync::once once;
  int ran = 0;
  sync::wait_group wg;
  for (int i = 0; i < 10; ++i) {
    wg.go([&] {
      once.call([&] { ++ran; });
      EXPECT_EQ(ran, 1);
    });
  }
  wg.wait();
  EXPECT_EQ(ran, 1);
}

TEST(go_sync, TestOncePanic) {
  sync::once once;
  EXPECT_THROW(once.call([] { throw std::runtime_error("failed"); }), std::runtime_error);
  once.call([] { FAIL() << "called twice"; });
}

TEST(go_sync, TestOnceFunc) {
  int calls = 0;
  sync::once_value const f = [&] { ++calls; };
  f();
  f();
  EXPECT_EQ(calls, 1);
}

TEST(go_sync, TestOnceValue) {
  int calls = 0;
  sync::once_value const f = [&] { return ++calls; };
  EXPECT_EQ(f(), 1);
  EXPECT_EQ(f(), 1);
  EXPECT_EQ(calls, 1);
}

TEST(go_sync, TestOnceValues) {
  int calls = 0;
  sync::once_value const f = [&] {
    ++calls;
    return std::pair(calls, calls + 1);
  };
  auto const [v1, v2] = f();
  EXPECT_EQ(f().first, 1);
  EXPECT_EQ(v1, 1);
  EXPECT_EQ(v2, 2);
  EXPECT_EQ(calls, 1);
}

// What the function has thrown is thrown at every call, and it has run once.
template <class Once>
void throws_the_same_again(Once const& f, int const& calls) {
  for (int i = 0; i < 2; ++i) {
    try {
      static_cast<void>(f());
      ADD_FAILURE() << "call " << i << " returned";
    } catch (std::runtime_error const& e) {
      EXPECT_EQ(std::string(e.what()), "x");
    }
  }
  EXPECT_EQ(calls, 1);
}

TEST(go_sync, TestOnceFuncPanic) {
  int calls = 0;
  sync::once_value const f = [&] {
    ++calls;
    throw std::runtime_error("x");
  };
  throws_the_same_again(f, calls);
}

TEST(go_sync, TestOnceValuePanic) {
  int calls = 0;
  sync::once_value const f = [&]() -> int {
    ++calls;
    throw std::runtime_error("x");
  };
  throws_the_same_again(f, calls);
}

TEST(go_sync, TestOnceValuesPanic) {
  int calls = 0;
  sync::once_value const f = [&]() -> std::pair<int, int> {
    ++calls;
    throw std::runtime_error("x");
  };
  throws_the_same_again(f, calls);
}

// --- cond_test.go

TEST(go_sync, TestCondSignal) {
  sync::mutex mu;
  sync::cond c(mu);
  int n = 2;
  chan<bool> running(n);
  chan<bool> awake(n);
  for (int i = 0; i < n; ++i) {
    go([&] {
      sync::lock_guard const hold(mu);
      running.send(true);
      c.wait();
      awake.send(true);
    });
  }
  for (int i = 0; i < n; ++i) running.recv();
  for (; n > 0; --n) {
    EXPECT_EQ(awake.try_recv(), std::nullopt) << "not asleep";
    mu.lock();
    c.signal();
    mu.unlock();
    awake.recv();
    EXPECT_EQ(awake.try_recv(), std::nullopt) << "too many awake";
  }
  c.signal();
  mu.lock();  // the last one is out
  mu.unlock();
}

TEST(go_sync, TestCondSignalGenerations) {
  constexpr int n = 100;
  sync::mutex mu;
  sync::cond c(mu);
  chan<bool> running(n);
  chan<int> awake(n);
  sync::wait_group wg;
  for (int i = 0; i < n; ++i) {
    wg.go([&, i] {
      sync::lock_guard const hold(mu);
      running.send(true);
      c.wait();
      awake.send(i);
    });
    if (i > 0) {
      ASSERT_EQ(awake.recv(), i - 1);
    }
    running.recv();
    sync::lock_guard const hold(mu);
    c.signal();
  }
  wg.wait();
}

TEST(go_sync, TestCondBroadcast) {
  constexpr int n = 50;
  sync::mutex mu;
  sync::cond c(mu);
  chan<int> running(n);
  chan<int> awake(n);
  bool exit = false;
  sync::wait_group wg;
  for (int g = 0; g < n; ++g) {
    wg.go([&, g] {
      sync::lock_guard const hold(mu);
      while (!exit) {
        running.send(g);
        c.wait();
        awake.send(g);
      }
    });
  }
  for (int round = 0; round < n; ++round) {
    for (int i = 0; i < n; ++i) running.recv();
    ASSERT_EQ(awake.try_recv(), std::nullopt) << "not asleep";
    {
      sync::lock_guard const hold(mu);
      exit = round == n - 1;
      c.broadcast();
    }
    std::vector<bool> seen(n);
    for (int i = 0; i < n; ++i) {
      auto const g = static_cast<std::size_t>(*awake.recv());
      ASSERT_FALSE(seen.at(g)) << "woken twice";
      seen[g] = true;
    }
  }
  EXPECT_EQ(running.try_recv(), std::nullopt);
  c.broadcast();
  wg.wait();
}

TEST(go_sync, TestRace) {
  sync::mutex mu;
  sync::cond c(mu);
  int x = 0;
  sync::wait_group wg;
  wg.go([&] {
    sync::lock_guard const hold(mu);
    x = 1;
    c.wait();
    EXPECT_EQ(x, 2);
    x = 3;
    c.signal();
  });
  auto const until = [&](auto const& done) {
    for (;;) {
      mu.lock();
      bool const ended = done();
      mu.unlock();
      if (ended) return;
      runtime::yield();
    }
  };
  wg.go([&] {
    until([&] {
      if (x != 1) return false;
      x = 2;
      c.signal();
      return true;
    });
  });
  wg.go([&] {
    until([&] {
      if (x == 2) {
        c.wait();
        EXPECT_EQ(x, 3);
        return true;
      }
      return x == 3;
    });
  });
  wg.wait();
}

// A broadcast reaches one who waited before, though others come at the same moment.
TEST(go_sync, TestCondSignalStealing) {
  for (int round = 0; round < 300; ++round) {
    sync::mutex mu;
    sync::cond c(mu);
    chan<unit> ch(0);
    sync::wait_group wg;
    wg.go([&] {
      mu.lock();
      ch.send({});
      c.wait();
      mu.unlock();
      ch.send({});
    });
    ch.recv();
    mu.lock();  // from here on the first one waits
    mu.unlock();
    bool done = false;
    wg.go([&] { c.broadcast(); });
    wg.go([&] {
      sync::lock_guard const hold(mu);
      while (!done) c.wait();
    });
    ch.recv();
    mu.lock();
    done = true;
    mu.unlock();
    c.broadcast();
    wg.wait();
  }
}

// Go finds a copy when it is used; here it does not compile.
TEST(go_sync, TestCondCopy) {
  static_assert(!std::copy_constructible<sync::cond> && !std::movable<sync::cond>);
  static_assert(!std::copy_constructible<sync::mutex> && !std::movable<sync::mutex>);
  static_assert(!std::copy_constructible<sync::rw_mutex> && !std::movable<sync::rw_mutex>);
  static_assert(!std::copy_constructible<sync::once> && !std::movable<sync::once>);
  static_assert(!std::copy_constructible<sync::wait_group> && !std::movable<sync::wait_group>);
  static_assert(!std::copy_constructible<sync::semaphore> && !std::movable<sync::semaphore>);
  static_assert(!std::copy_constructible<sync::pool<int>> && !std::movable<sync::pool<int>>);
  static_assert(!std::copy_constructible<sync::map<int, int>> &&
                !std::movable<sync::map<int, int>>);
  static_assert(!std::copy_constructible<sync::atomic_value<int>> &&
                !std::movable<sync::atomic_value<int>>);
}

}  // namespace
}  // namespace vole
