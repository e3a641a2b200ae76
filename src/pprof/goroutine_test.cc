// SPDX-License-Identifier: Apache-2.0
#include "pprof/goroutine.h"

#include <cerrno>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <string>
#include <time.h>
#include <unistd.h>
#include <vector>

#include "vole/chan.h"
#include "vole/go.h"
#include "vole/internal/atomic.h"
#include "vole/pprof.h"
#include "vole/runtime.h"
#include "vole/sync.h"
#include "vole/testing.h"

#include "pprof/read_profile_test.h"
#include "runtime/sanitizer.h"
#include "symbol/symbolize.h"

namespace vole::pprof {
namespace {

using internal::goroutine_state;
using internal::wait_reason;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

internal::goroutine_snapshot waiting_for(wait_reason why, duration age) {
  internal::goroutine_snapshot g;
  g.state = goroutine_state::parked;
  g.why = why;
  g.waiting = age;
  return g;
}

TEST(pprof_goroutineleak, suspects_who_waits_long_for_another_goroutine) {
  constexpr duration almost = leak_age - std::chrono::nanoseconds(1);
  for (wait_reason const why :
       {wait_reason::chan_receive, wait_reason::chan_send, wait_reason::select,
        wait_reason::mutex_lock, wait_reason::wait_group_wait, wait_reason::task_wait}) {
    EXPECT_TRUE(is_leak_suspect(waiting_for(why, leak_age)));
    EXPECT_FALSE(is_leak_suspect(waiting_for(why, almost)));
  }
}

TEST(pprof_goroutineleak, suspects_at_once_who_waits_for_nothing) {
  for (wait_reason const why :
       {wait_reason::chan_receive_nil, wait_reason::chan_send_nil, wait_reason::select_no_cases}) {
    EXPECT_TRUE(is_leak_suspect(waiting_for(why, {})));
  }
}

TEST(pprof_goroutineleak, time_and_connections_are_no_leak_nor_is_work) {
  for (wait_reason const why : {wait_reason::sleep, wait_reason::io_wait, wait_reason::main_wait}) {
    EXPECT_FALSE(is_leak_suspect(waiting_for(why, 100 * leak_age)));
  }
  auto running = waiting_for(wait_reason::chan_receive, leak_age);
  running.state = goroutine_state::running;
  EXPECT_FALSE(is_leak_suspect(running));
}

TEST(pprof_goroutineleak, shows_those_and_no_others) {
  chan<int> nothing(0);
  go([nothing] { static_cast<void>(nothing.recv()); });
  testing::wait_until_parked(1);
  profile const* const leaks = lookup("goroutineleak");
  ASSERT_NE(leaks, nullptr);
  EXPECT_EQ(leaks->count(), 0U);
  EXPECT_THAT(leaks->write(1), StartsWith("goroutineleak profile: total 0\n"));
  EXPECT_EQ(leaks->write(2), "");
  EXPECT_THAT(lookup("goroutine")->write(2), ContainsRegex("goroutine [0-9]+ \\[chan receive\\]:"));
  nothing.close();
}

TEST(pprof_goroutineleak, wakes_nobody_to_be_counted) {
  int fds[2];
  ASSERT_EQ(::pipe(fds), 0);
  int result = 0;
  chan<unit> ended(0);
  go([&, ended] {
    pollfd p{.fd = fds[0], .events = POLLIN, .revents = 0};
    result = blocking([&p] { return ::poll(&p, 1, -1) < 0 ? -errno : 1; });
    ended.close();
  });
  while (runtime::read_stats().blocking_calls == 0) runtime::yield();
  EXPECT_EQ(lookup("goroutineleak")->count(), 0U);
  EXPECT_THAT(lookup("goroutine")->write(1), HasSubstr("wakes_nobody_to_be_counted"));
  ASSERT_EQ(::write(fds[1], "x", 1), 1);
  ended.recv();
  EXPECT_EQ(result, 1) << "ended by a signal: -EINTR is " << -EINTR;
  for (int const fd : fds) ::close(fd);
}

// A page of text that whoever writes over a neighbour's stack destroys.
class watched_stack {
 public:
  void watch(chan<unit> const& until) {
    volatile unsigned char page[40 << 10];
    for (std::size_t i = 0; i < sizeof page; ++i) page[i] = static_cast<unsigned char>(i * 7);
    until.recv();
    for (std::size_t i = 0; i < sizeof page; ++i) {
      broken_ += page[i] == static_cast<unsigned char>(i * 7) ? 0 : 1;
    }
  }
  std::size_t broken() const { return broken_; }

 private:
  std::size_t broken_ = 0;
};

// What reads symbols has a frame of 150 KiB that touches no guard page.
TEST(pprof_lookup, writes_from_a_small_stack_over_no_other) {
  if (VOLE_ASAN || VOLE_TSAN) GTEST_SKIP() << "the frames of a sanitizer are larger";
  constexpr std::size_t small = 64 << 10;
  constexpr std::size_t around = 12;
  chan<unit> over(0);
  std::vector<watched_stack> stacks(2 * around);
  sync::wait_group ended;
  auto const watch = [&](std::size_t i) {
    ended.add(1);
    go({.stack_bytes = small}, [&, i] {
      stacks[i].watch(over);
      ended.done();
    });
  };
  for (std::size_t i = 0; i < around; ++i) watch(i);
  chan<unit> begin(0);
  std::string profile;
  chan<unit> written(0);
  go({.stack_bytes = small}, [&] {
    begin.recv();
    profile = lookup("goroutine")->write(0);
    written.close();
  });
  for (std::size_t i = around; i < 2 * around; ++i) watch(i);
  testing::wait_until_parked(2 * around + 1);
  symbol::release_symbols();
  begin.close();
  written.recv();
  over.close();
  ended.wait();
  for (watched_stack const& s : stacks) EXPECT_EQ(s.broken(), 0U);
  EXPECT_GT(profile.size(), 100U);
}

TEST(pprof_goroutine, has_a_place_for_each_even_for_those_that_move_meanwhile) {
  chan<int> to(0), back(0);
  internal::atomic<bool> enough{false};
  chan<unit> ended(0);
  go([&enough, to, back, ended] {
    while (!enough.load()) back.send(*to.recv());
    to.recv();
    back.close();
    ended.close();
  });
  go([to, back] {
    while (back.recv()) to.send(1);
  });
  to.send(1);
  profile const* const all = lookup("goroutine");
  for (int look = 0; look < 500; ++look) {
    EXPECT_THAT(all->write(1), Not(HasSubstr("@\n")));  // which no reader of profiles takes
  }
  enough.store(true);
  ended.recv();
}

// --- stacks that are deeper than a profile has room for ---

[[gnu::noinline]] void go_down(int more, void (*at_the_bottom)(chan<unit> const&),
                               chan<unit> const& until) {
  if (more == 0) {
    at_the_bottom(until);
  } else {
    go_down(more - 1, at_the_bottom, until);
  }
  asm volatile("");  // no tail call: this frame is looked for
}

[[gnu::noinline]] void where_all_begins(void (*at_the_bottom)(chan<unit> const&),
                                        chan<unit> const& until) {
  go_down(400, at_the_bottom, until);
  asm volatile("");
}

[[gnu::noinline]] void wait_at_the_bottom(chan<unit> const& until) {
  until.recv();
  asm volatile("");
}

[[gnu::noinline]] void work_at_the_bottom(chan<unit> const& until) {
  auto const used_ms = [] {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1'000'000;
  };
  for (auto const end = used_ms() + 200; used_ms() < end;) {
  }
  until.close();
}

// which: of the profile's values.
void expect_both_ends(std::string const& profile, std::string const& innermost, std::size_t which) {
  read_profile const p(gunzip(profile));
  p.check();
  std::int64_t const deep = p.value_of(innermost, which);
  EXPECT_GE(deep, 1) << innermost;
  for (char const* const place : {"go_down", "[frames left out]", "where_all_begins"}) {
    EXPECT_EQ(p.value_of(place, which), deep) << place;
  }
}

TEST(pprof_goroutine, a_stack_that_is_too_deep_keeps_both_its_ends) {
  chan<unit> const over(0);
  sync::wait_group ended;
  ended.go([&over] { where_all_begins(&wait_at_the_bottom, over); });
  testing::wait_until_parked(1);
  profile const* const all = lookup("goroutine");
  expect_both_ends(all->write(0), "wait_at_the_bottom", 0);
  result<wall_profile> wall = start_wall();
  ASSERT_TRUE(wall.has_value());
  expect_both_ends(wall->stop(), "wait_at_the_bottom", 1);
  EXPECT_THAT(all->write(1), AllOf(HasSubstr("[frames left out]"), HasSubstr("where_all_begins")));
  std::string const dump = all->write(2);
  std::size_t const cut = dump.find("\n...additional frames elided...\n");
  ASSERT_NE(cut, dump.npos) << dump;
  EXPECT_LT(dump.find("go_down"), cut);
  std::size_t const root = dump.find("where_all_begins", cut);
  EXPECT_LT(root, dump.find("created by ", cut)) << dump;
  over.close();
  ended.wait();
}

TEST(pprof_cpu, a_stack_that_is_too_deep_keeps_both_its_ends) {
  chan<unit> const over(0);
  result<cpu_profile> cpu = start_cpu();
  ASSERT_TRUE(cpu.has_value());
  go([&over] { where_all_begins(&work_at_the_bottom, over); });
  over.recv();
  expect_both_ends(cpu->stop(), "work_at_the_bottom", 0);
}

}  // namespace
}  // namespace vole::pprof
