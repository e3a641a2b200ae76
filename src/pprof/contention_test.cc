// SPDX-License-Identifier: Apache-2.0

#include <chrono>
#include <cstdint>
#include <gtest/gtest.h>
#include <optional>
#include <time.h>

#include "vole/chan.h"
#include "vole/go.h"
#include "vole/internal/annotations.h"
#include "vole/internal/clock.h"
#include "vole/pprof.h"
#include "vole/select.h"
#include "vole/sync.h"
#include "vole/testing.h"
#include "vole/time.h"

#include "pprof/read_profile_test.h"

namespace vole::pprof {
namespace {

enum value : std::size_t { contentions, delay_ns };

read_profile profile_now(char const* name) {
  read_profile p(gunzip(lookup(name)->write(0)));
  p.check();
  EXPECT_EQ(p.text(p.types.at(0).first), "contentions");
  EXPECT_EQ(p.text(p.types.at(1).first), "delay");
  EXPECT_EQ(p.text(p.types.at(1).second), "nanoseconds");
  EXPECT_EQ(p.period, 1);
  return p;
}

// Takes every event while it lives.
struct every_event {
  every_event() { set_contention_rate(1'000'000'000); }
  ~every_event() { set_contention_rate(1000); }
};

constexpr std::int64_t held_ns = 20'000'000;

[[gnu::noinline]] void work_for_held_ns() {
  auto const used = [] {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * 1'000'000'000 + t.tv_nsec;
  };
  for (auto const end = used() + held_ns; used() < end;) {
  }
}

// Runs wait() in a goroutine, and once that is parked works for held_ns before let_go().
template <class Wait, class LetGo>
void wait_while_working(Wait wait, LetGo let_go) {
  std::size_t const before = testing::parked();
  sync::wait_group ended;
  ended.go([&] { wait(); });
  testing::wait_until_parked(before + 1);
  work_for_held_ns();
  let_go();
  ended.wait();
}

[[gnu::noinline]] void receive_here(chan<int> const& c) {
  c.recv();
  asm volatile("");  // no tail call: this frame is looked for
}
[[gnu::noinline]] void send_here(chan<int> const& c) {
  c.send(1);
  asm volatile("");
}
[[gnu::noinline]] void select_here(chan<int> const& c) {
  std::optional<int> got;
  static_cast<void>(select(recv(c, &got)));
  asm volatile("");
}
[[gnu::noinline]] void lock_here(sync::mutex& mu) {
  mu.lock();
  mu.unlock();
  asm volatile("");
}
[[gnu::noinline]] void rlock_here(sync::rw_mutex& mu) {
  mu.rlock();
  mu.runlock();
  asm volatile("");
}
[[gnu::noinline]] void wlock_here(sync::rw_mutex& mu) {
  mu.lock();
  mu.unlock();
  asm volatile("");
}
[[gnu::noinline]] void wait_here(sync::wait_group& wg) {
  wg.wait();
  asm volatile("");
}
[[gnu::noinline]] void cond_wait_here(sync::mutex& mu, sync::cond& ready) {
  mu.lock();
  ready.wait();
  mu.unlock();
  asm volatile("");
}
[[gnu::noinline]] void cond_wait_again_here(sync::mutex& mu, sync::cond& ready) {
  mu.lock();
  ready.wait();
  mu.unlock();
  asm volatile("# not the same code: the compiler would make one function of both");
}
[[gnu::noinline]] void acquire_here(sync::semaphore& sem) {
  sem.acquire();
  sem.release();
  asm volatile("");
}
[[gnu::noinline]] void release_here(sync::semaphore& sem) {
  sem.release();
  asm volatile("");
}
[[gnu::noinline]] void unlock_here(sync::mutex& mu) VOLE_NO_THREAD_SAFETY_ANALYSIS {
  mu.unlock();
  asm volatile("");
}
[[gnu::noinline]] void wunlock_here(sync::rw_mutex& mu) VOLE_NO_THREAD_SAFETY_ANALYSIS {
  mu.unlock();
  asm volatile("");
}
[[gnu::noinline]] void runlock_here(sync::rw_mutex& mu) VOLE_NO_THREAD_SAFETY_ANALYSIS {
  mu.runlock();
  asm volatile("");
}

void expect_one(char const* name, char const* function) {
  read_profile const p = profile_now(name);
  EXPECT_EQ(p.value_of(function, contentions), 1) << name << ' ' << function;
  EXPECT_GE(p.value_of(function, delay_ns), held_ns) << name << ' ' << function;
}

TEST(pprof_block, charges_a_channels_waiters) {
  every_event const all;
  chan<int> const c(0);
  wait_while_working([&] { receive_here(c); }, [&] { c.send(1); });
  expect_one("block", "receive_here");
  wait_while_working([&] { send_here(c); }, [&] { c.recv(); });
  expect_one("block", "send_here");
  wait_while_working([&] { select_here(c); }, [&] { c.send(1); });
  expect_one("block", "select_here");
}

// The locks go from goroutine to goroutine, which the analysis does not follow.
void wait_for_locks() VOLE_NO_THREAD_SAFETY_ANALYSIS {
  sync::mutex mu;
  mu.lock();
  wait_while_working([&] { lock_here(mu); }, [&] { unlock_here(mu); });
  sync::rw_mutex written;
  written.lock();
  wait_while_working([&] { rlock_here(written); }, [&] { wunlock_here(written); });
  sync::rw_mutex read;
  read.rlock();
  wait_while_working([&] { wlock_here(read); }, [&] { runlock_here(read); });
}

TEST(pprof_block, charges_the_waiters_of_locks_and_the_mutex_profile_the_unlocker) {
  every_event const all;
  wait_for_locks();
  expect_one("block", "lock_here(vole::sync::mutex");
  expect_one("mutex", "::unlock_here");
  expect_one("block", "rlock_here");
  expect_one("mutex", "wunlock_here");
  expect_one("block", "wlock_here");
  expect_one("mutex", "runlock_here");
}

TEST(pprof_block, charges_the_other_waiters) {
  every_event const all;
  sync::wait_group wg;
  wg.add(1);
  wait_while_working([&] { wait_here(wg); }, [&] { wg.done(); });
  expect_one("block", "::wait_here");
  sync::mutex mu;
  sync::cond ready(mu);
  wait_while_working([&] { cond_wait_here(mu, ready); }, [&] { ready.signal(); });
  expect_one("block", "cond_wait_here");
  wait_while_working([&] { cond_wait_again_here(mu, ready); }, [&] { ready.broadcast(); });
  expect_one("block", "cond_wait_again_here");
}

TEST(pprof_block, charges_who_waits_for_a_semaphore_and_the_mutex_profile_who_gives_it_back) {
  every_event const all;
  sync::semaphore sem(1);
  sem.acquire();
  wait_while_working([&] { acquire_here(sem); }, [&] { release_here(sem); });
  expect_one("block", "acquire_here");
  expect_one("mutex", "release_here");
}

[[gnu::noinline]] void ping(chan<int> const& there, chan<int> const& back, int rounds) {
  for (int i = 0; i < rounds; ++i) {
    there.send(i);
    back.recv();
  }
  asm volatile("");
}

TEST(pprof_block, few_samples_stand_for_all_waits) {
  set_contention_rate(20'000);
  std::int64_t const before = profile_now("block").value_of("ping", contentions);
  chan<int> const there(0);
  chan<int> const back(0);
  constexpr int rounds = 200'000;
  sync::wait_group ended;
  ended.go([&] { ping(there, back, rounds); });
  std::int64_t answered = 0;
  while (answered < rounds) {
    there.recv();
    back.send(0);
    ++answered;
  }
  ended.wait();
  set_contention_rate(1000);
  std::int64_t const seen = profile_now("block").value_of("ping", contentions) - before;
  // Each round parks once or twice on each side, as the two happen to meet.
  EXPECT_GT(seen, rounds / 10);
  EXPECT_LT(seen, 3 * rounds);
}

[[gnu::noinline]] void receive_seldom(chan<int> const& c) {
  c.recv();
  asm volatile("");
}

TEST(pprof_block, few_long_waits_among_many_short_ones_count_as_what_they_are) {
  constexpr int waits = 4;
  constexpr duration each = std::chrono::milliseconds(150);
  chan<int> const seldom(0);
  chan<int> const there(0);
  chan<int> const back(0);
  sync::wait_group ended;
  ended.go([&] {
    for (int i = 0; i < waits; ++i) receive_seldom(seldom);
  });
  ended.go([&] {
    while (there.recv()) back.send(0);
  });
  std::int64_t rounds = 0;
  for (int i = 0; i < waits; ++i) {
    for (time_point const end = internal::monotonic_now() + each;
         internal::monotonic_now() < end;) {
      there.send(0);
      back.recv();
      ++rounds;
    }
    seldom.send(1);
  }
  there.close();
  ended.wait();
  read_profile const p = profile_now("block");
  EXPECT_EQ(p.value_of("receive_seldom", contentions), waits) << "among " << rounds;
  EXPECT_GE(p.value_of("receive_seldom", delay_ns), waits * each.count() / 2);
}

TEST(pprof_block, sleep_waits_for_nobody) {
  every_event const all;
  std::int64_t const before = profile_now("block").value_of("time::sleep", contentions);
  time::sleep(std::chrono::milliseconds(1));
  EXPECT_EQ(profile_now("block").value_of("time::sleep", contentions), before);
}

}  // namespace
}  // namespace vole::pprof
