// SPDX-License-Identifier: Apache-2.0
// A program of its own: the library stands in front of every pthread lock of its process.
#include "vole/check_locks.h"

#include <gtest/gtest.h>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <thread>

#include "vole/go.h"
#include "vole/internal/park.h"
#include "vole/runtime.h"

#include "runtime/latch_test.h"

namespace vole::internal {
namespace {

// what_is_said runs fn as a goroutine until as many reports were written; returns them.
template <class Fn>
std::string what_is_said(std::uint64_t wanted, Fn fn) {
  std::uint64_t const before = runtime::lock_reports();
  testing::internal::CaptureStderr();
  run([&] {
    latch done(1);
    go([&] {
      fn();
      done.count_down();
    });
    done.wait();
    while (runtime::lock_reports() != before + wanted) runtime::yield();
    // Whoever still reports would have been started by now.
    while (runtime::goroutines() != 1) runtime::yield();
  });
  EXPECT_EQ(runtime::lock_reports(), before + wanted);
  return testing::internal::GetCapturedStderr();
}

[[gnu::noinline]] void lock_for_long(std::mutex& mu) {
  mu.lock();
  asm volatile("" ::: "memory");  // no tail call: the frame stays
}

[[gnu::noinline]] void wait_for_others(gate& at) {
  at.wait();
  asm volatile("" ::: "memory");
}

TEST(check_locks, a_mutex_held_over_a_park_is_reported_once_with_both_stacks) {
  std::mutex mu;
  std::string const said = what_is_said(1, [&] {
    for (int i = 0; i < 3; ++i) {
      gate at;
      lock_for_long(mu);
      go([&] {
        while (!at.wake_one()) runtime::yield();
      });
      wait_for_others(at);
      mu.unlock();
    }
  });
  EXPECT_NE(said.find(" leaves its thread (chan receive) and holds a std::mutex"), said.npos)
      << said;
  auto const locked = said.find("\nlocked at:\n");
  auto const left = said.find("\nleft its thread at:\n");
  ASSERT_NE(locked, said.npos) << said;
  ASSERT_NE(left, said.npos) << said;
  std::string const first = said.substr(locked, left - locked);
  EXPECT_NE(first.find("lock_for_long"), first.npos) << said;
  EXPECT_EQ(first.find("wait_for_others"), first.npos) << said;
  EXPECT_NE(said.find("wait_for_others", left), said.npos) << said;
  EXPECT_NE(said.find("created by ", left), said.npos) << said;
}

TEST(check_locks, every_kind_of_lock_and_every_way_to_leave_counts) {
  std::recursive_mutex twice;
  std::timed_mutex timed;
  std::shared_mutex shared;
  std::shared_timed_mutex shared_timed;
  std::string const said = what_is_said(6, [&] {
    auto const leave = [] { runtime::yield(); };
    auto const reported = [n = runtime::lock_reports()](std::uint64_t more) {
      while (runtime::lock_reports() != n + more) runtime::yield();
    };
    twice.lock();
    twice.lock();
    twice.unlock();  // one is left
    leave();
    twice.unlock();
    reported(1);
    ASSERT_TRUE(timed.try_lock_for(std::chrono::seconds(10)));
    leave();
    timed.unlock();
    reported(2);
    shared.lock_shared();
    leave();
    shared.unlock_shared();
    reported(3);
    shared.lock();
    leave();
    shared.unlock();
    reported(4);
    ASSERT_TRUE(shared_timed.try_lock());
    leave();
    shared_timed.unlock();
    reported(5);
    latch locked(1);
    go([&] {
      timed.lock();
      locked.count_down();  // and ends
    });
    locked.wait();
    reported(6);
    timed.unlock();
  });
  EXPECT_NE(said.find("leaves its thread (yield)"), said.npos) << said;
  EXPECT_NE(said.find("leaves its thread (ends)"), said.npos) << said;
}

TEST(check_locks, what_is_right_is_not_reported) {
  std::mutex mu;
  std::string const said = what_is_said(0, [&] {
    {
      std::lock_guard const lock(mu);
    }
    runtime::yield();
    std::unique_lock tried(mu, std::try_to_lock);
    EXPECT_TRUE(tried.owns_lock());
    std::thread([&] { EXPECT_FALSE(mu.try_lock()); }).join();
    tried.unlock();
    runtime::yield();
    blocking([&] { std::lock_guard const lock(mu); });
    runtime::yield();
    runtime::lock_thread();  // it comes back to this thread
    mu.lock();
    runtime::yield();
    mu.unlock();
    runtime::unlock_thread();
  });
  EXPECT_EQ(said, "");
  std::lock_guard const of_a_thread(mu);
  EXPECT_EQ(what_is_said(0, [] { runtime::yield(); }), "");
}

}  // namespace
}  // namespace vole::internal
