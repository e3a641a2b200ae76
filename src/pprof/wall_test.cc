// SPDX-License-Identifier: Apache-2.0

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <string>
#include <thread>
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
#include "vole/time.h"

#include "pprof/read_profile_test.h"
#include "runtime/sanitizer.h"
#include "runtime/wall_sample.h"
#include "symbol/unwind_tables.h"

namespace vole::pprof {
namespace {

namespace wall = internal::wall;
using ::testing::HasSubstr;
using ::testing::StartsWith;

enum value : std::size_t { samples, time_ns };

std::int64_t cpu_ns() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return t.tv_sec * 1'000'000'000 + t.tv_nsec;
}

void use_processor(std::int64_t ns) {
  volatile std::uint64_t work = 1;
  for (std::int64_t const end = cpu_ns() + ns; cpu_ns() < end;) {
    for (int i = 0; i < 5'000; ++i) work = work * 31 + 7;
  }
}

// A clock for captures: a plain thread that computes for so long, and then closes `over`. What the
// tests look at are goroutines, which it is not.
class capture_time {
 public:
  explicit capture_time(std::int64_t ns)
      : thread_([this, ns] {
          use_processor(ns);
          over.close();
        }) {}
  ~capture_time() { thread_.join(); }
  chan<int> const over{0};

 private:
  std::thread thread_;
};

constexpr std::int64_t ms = 1'000'000;

wall_profile begin() {
  result<wall_profile> wall = start_wall();
  EXPECT_TRUE(wall) << wall.error().message();
  return *std::move(wall);
}
read_profile end(wall_profile& wall) {
  read_profile p(gunzip(wall.stop()));
  p.check();
  return p;
}

// time_with sums the time of the samples that have this function, this wait_reason and this label
// "key=value"; "" is any.
std::int64_t time_with(read_profile const& p, std::string const& function,
                       std::string const& reason, std::string const& label = "") {
  std::int64_t sum = 0;
  for (read_sample const& s : p.samples) {
    bool const named = std::ranges::any_of(s.locations, [&](std::uint64_t id) {
      return std::ranges::any_of(p.locations.at(id).lines, [&](auto const& line) {
        return p.text(p.functions.at(line.first).name).find(function) != std::string::npos;
      });
    });
    auto const has = [&](std::string const& wanted) {
      return wanted.empty() || std::ranges::any_of(s.labels, [&](auto const& l) {
               return p.text(l.first) + '=' + p.text(l.second) == wanted;
             });
    };
    if (named && has(reason.empty() ? "" : "wait_reason=" + reason) && has(label)) {
      sum += s.values.at(time_ns);
    }
  }
  return sum;
}

// stacks_of lists the samples, for the words behind an expectation.
std::string stacks_of(read_profile const& p) {
  std::string text;
  for (read_sample const& s : p.samples) {
    text += '\n' + std::to_string(s.values.at(time_ns) / ms) + " ms:";
    for (auto const& l : s.labels) text += ' ' + p.text(l.first) + '=' + p.text(l.second);
    for (std::uint64_t const id : s.locations) {
      for (auto const& line : p.locations.at(id).lines) {
        text += "\n    " + p.text(p.functions.at(line.first).name);
      }
    }
  }
  return text;
}

void expect_share(std::int64_t seen_ns, std::int64_t of_ns, double share) {
  double const seen = static_cast<double>(seen_ns) / static_cast<double>(of_ns);
  // Besides, the end of a capture waits for the answers of threads: up to 10 ms.
  EXPECT_NEAR(seen, share, 0.05 + 10.0 * ms / static_cast<double>(of_ns));
}

[[gnu::noinline]] void wait_at(chan<int> const& gate) {
  gate.recv();
  asm volatile("");  // no tail call: this frame is looked for
}

[[gnu::noinline]] void compute_until(internal::atomic<bool> const& stop) {
  while (!stop.load()) use_processor(ms);
  asm volatile("");
}

TEST(pprof_wall, who_waits_and_who_computes_both_have_all_the_time) {
  chan<int> const gate(0);
  internal::atomic<bool> stop{false};
  sync::wait_group ended;
  ended.go([&] { do_with_labels({{"tenant", "a"}}, [&] { wait_at(gate); }); });
  testing::wait_until_parked(1);
  ended.go([&] { compute_until(stop); });
  wall_profile wall = begin();
  {
    capture_time const some(1500 * ms);
    some.over.recv();
  }
  read_profile const p = end(wall);
  EXPECT_EQ(wall.stop(), "");
  stop.store(true);
  gate.close();
  ended.wait();

  ASSERT_EQ(p.types.size(), 2U);
  EXPECT_EQ(p.text(p.types[samples].first), "samples");
  EXPECT_EQ(p.text(p.types[samples].second), "count");
  EXPECT_EQ(p.text(p.types[time_ns].first), "time");
  EXPECT_EQ(p.text(p.types[time_ns].second), "nanoseconds");
  EXPECT_EQ(p.period, 1'000'000'000 / 99);
  EXPECT_GE(p.duration_nanos, 1500 * ms);
  expect_share(time_with(p, "wait_at", "chan receive"), p.duration_nanos, 1);
  expect_share(time_with(p, "wait_at", "", "tenant=a"), p.duration_nanos, 1);
  expect_share(time_with(p, "compute_until", "running"), p.duration_nanos, 1);
}

TEST(pprof_wall, the_time_is_shared_between_what_a_goroutine_does_in_turn) {
  wall_profile wall = begin();
  sync::wait_group ended;
  // What the goroutine itself saw: a sleep ends late on a loaded machine.
  duration computing{};
  duration sleeping{};
  ended.go([&] {
    // Some 250 looks: their error is 3 %.
    time_point const end = internal::now() + 2500 * std::chrono::milliseconds(1);
    for (time_point from = internal::now(); from < end;) {
      use_processor(5 * ms);
      time_point const mid = internal::now();
      time::sleep(mid - from);
      time_point const woken = internal::now();
      computing += mid - from;
      sleeping += woken - mid;
      from = woken;
    }
  });
  ended.wait();
  read_profile const p = end(wall);
  auto const slept = static_cast<double>(time_with(p, "time::sleep", "sleep"));
  auto const computed = static_cast<double>(time_with(p, "use_processor", "running"));
  auto const share =
      static_cast<double>(computing.count()) / static_cast<double>((computing + sleeping).count());
  EXPECT_NEAR(computed / (computed + slept), share, 0.15);
  expect_share(static_cast<std::int64_t>(computed + slept), p.duration_nanos, 1);
}

[[gnu::noinline]] void poll_blocking(int fd, int* got, int* failure) {
  blocking([&] {
    pollfd wanted{.fd = fd, .events = POLLIN, .revents = 0};
    *got = ::poll(&wanted, 1, -1);
    *failure = errno;
  });
  asm volatile("");
}
[[gnu::noinline]] void read_undeclared(int fd) {
  char c = 0;
  EXPECT_EQ(::read(fd, &c, 1), 1);
  asm volatile("");
}

TEST(pprof_wall, who_sleeps_in_the_kernel_is_seen_and_not_woken) {
  int poll_pipe[2];
  int read_pipe[2];
  ASSERT_EQ(::pipe(poll_pipe), 0);
  ASSERT_EQ(::pipe(read_pipe), 0);
  int got = 0;
  int failure = 0;
  sync::wait_group ended;
  ended.go([&] { poll_blocking(poll_pipe[0], &got, &failure); });
  ended.go([&] { read_undeclared(read_pipe[0]); });
  while (runtime::read_stats().blocking_calls == 0) runtime::yield();
  wall::counters const before = wall::read_counters();
  wall_profile wall = begin();
  {
    capture_time const some(1500 * ms);
    some.over.recv();
  }
  read_profile const p = end(wall);
  wall::counters const after = wall::read_counters();
  ASSERT_EQ(::write(poll_pipe[1], "x", 1), 1);
  ASSERT_EQ(::write(read_pipe[1], "x", 1), 1);
  ended.wait();
  for (int const fd : {poll_pipe[0], poll_pipe[1], read_pipe[0], read_pipe[1]}) ::close(fd);

  expect_share(time_with(p, "poll_blocking", "blocking call"), p.duration_nanos, 1);
  // TSan keeps a signal back until read() returns: then the time is there, and the place is not.
  std::string const reader = VOLE_TSAN ? "lostProfileEvent" : "read_undeclared";
  expect_share(time_with(p, reader, "running"), p.duration_nanos, 1);
  if (HasFailure()) ADD_FAILURE() << stacks_of(p);
  EXPECT_EQ(got, 1) << failure;  // no signal has ended it early
  std::uint64_t const looks = after.looks_total - before.looks_total;
  EXPECT_GE(looks, 10U);
  EXPECT_GE(after.blocking_total - before.blocking_total, looks - 1);
  // The one in read() is asked once, and perhaps again where the first answer took long.
  EXPECT_LT(after.asked_total - before.asked_total, looks / 2);
}

TEST(pprof_wall, those_that_are_parked_get_no_signal) {
  constexpr std::size_t goroutines = 50;
  chan<int> const gate(0);
  sync::wait_group ended;
  for (std::size_t i = 0; i < goroutines; ++i) ended.go([&] { wait_at(gate); });
  testing::wait_until_parked(goroutines);
  capture_time const some(300 * ms);
  wall::counters const before = wall::read_counters();
  wall_profile wall = begin();
  some.over.recv();  // from here to there nobody runs
  static_cast<void>(wall.stop());
  wall::counters const after = wall::read_counters();
  gate.close();
  ended.wait();
  std::uint64_t const looks = after.looks_total - before.looks_total;
  EXPECT_GE(looks, 10U);
  EXPECT_GE(after.waiting_total - before.waiting_total, (looks - 1) * goroutines / 4);
  EXPECT_LE(after.asked_total - before.asked_total, 2U);  // this one, as it came and went
}

TEST(pprof_wall, captures_overlap_and_each_has_its_own_time) {
  chan<int> const gate(0);
  sync::wait_group ended;
  ended.go([&] { wait_at(gate); });
  testing::wait_until_parked(1);
  wall_profile outer = begin();
  {
    capture_time const some(150 * ms);
    some.over.recv();
  }
  wall_profile inner = begin();
  EXPECT_EQ(wall::read_counters().captures, 2U);
  {
    capture_time const some(150 * ms);
    some.over.recv();
  }
  read_profile const of_inner = end(inner);
  read_profile const of_outer = end(outer);
  gate.close();
  ended.wait();
  EXPECT_GT(of_outer.duration_nanos, of_inner.duration_nanos + 149 * ms);
  expect_share(time_with(of_inner, "wait_at", "chan receive"), of_inner.duration_nanos, 1);
  expect_share(time_with(of_outer, "wait_at", "chan receive"), of_outer.duration_nanos, 1);
}

// All of them are looked at each time, however slow the machine is at that moment.
TEST(pprof_wall, few_goroutines_have_exactly_the_time_that_has_passed) {
  constexpr int goroutines = wall::few_goroutines - 2;
  chan<int> const gate(0);
  sync::wait_group ended;
  for (int i = 0; i < goroutines; ++i) ended.go([&] { wait_at(gate); });
  testing::wait_until_parked(goroutines);
  for (int i = 0; i < 10; ++i) {
    wall_profile wall = begin();
    {
      capture_time const some(20 * ms);
      some.over.recv();
    }
    read_profile const p = end(wall);
    auto const seen = static_cast<double>(time_with(p, "wait_at", "chan receive"));
    EXPECT_NEAR(seen / goroutines, static_cast<double>(p.duration_nanos), 1000);  // rounding
  }
  gate.close();
  ended.wait();
}

TEST(pprof_wall, goroutines_with_equal_labels_are_one_sample) {
  chan<int> const gate(0);
  sync::wait_group ended;
  for (int request = 0; request < 3; ++request) {
    do_with_labels({{"tenant", "twin"}}, [&] { ended.go([&] { wait_at(gate); }); });
  }
  testing::wait_until_parked(3);
  wall_profile wall = begin();
  {
    capture_time const some(100 * ms);
    some.over.recv();
  }
  read_profile const p = end(wall);
  gate.close();
  ended.wait();
  std::vector<read_sample> twins;
  for (read_sample const& s : p.samples) {
    bool const twin = std::ranges::any_of(s.labels, [&](auto const& l) {
      return p.text(l.first) == "tenant" && p.text(l.second) == "twin";
    });
    if (twin) twins.push_back(s);
  }
  ASSERT_EQ(twins.size(), 1U) << stacks_of(p);
  expect_share(twins[0].values[time_ns], p.duration_nanos, 3);
  std::int64_t const period_ns = p.period;
  EXPECT_EQ(twins[0].values[samples], (twins[0].values[time_ns] + period_ns / 2) / period_ns);
}

// The handler that asks a thread where it is may not call the loader: it needs tables that were
// read before. Each test is a process of its own, so nobody else has asked for them.
TEST(pprof_wall, a_capture_reads_the_unwind_tables_that_its_handler_walks_by) {
  if (symbol::unwind_tables_bytes() != 0)
    GTEST_SKIP() << "another test has read them: run this one alone";
  wall_profile const wall = begin();
  EXPECT_GT(symbol::unwind_tables_bytes(), 0U);
}

TEST(pprof_wall, one_that_is_dropped_ends) {
  {
    wall_profile const wall = begin();
    EXPECT_EQ(wall::read_counters().captures, 1U);
  }
  EXPECT_EQ(wall::read_counters().captures, 0U);
}

[[gnu::noinline]] void pass_to_and_fro(chan<int> const& to, chan<int> const& from,
                                       internal::atomic<bool> const& stop) {
  while (!stop.load()) {
    to.send(1);
    from.recv();
  }
  asm volatile("");
}

// Most looks find such goroutines on their way: they have their time all the same, if not always
// their stack.
TEST(pprof_wall, goroutines_that_switch_all_the_time_do_not_lose_it) {
  chan<int> const there(0);
  chan<int> const back(0);
  internal::atomic<bool> stop{false};
  sync::wait_group first;
  sync::wait_group second;
  wall_profile wall = begin();
  first.go([&] { pass_to_and_fro(there, back, stop); });
  second.go([&] {
    while (there.recv()) back.send(1);
  });
  {
    capture_time const some(500 * ms);
    some.over.recv();
  }
  read_profile const p = end(wall);
  stop.store(true);
  first.wait();
  there.close();
  second.wait();
  double const seen =
      static_cast<double>(time_with(p, "created by", "")) / static_cast<double>(p.duration_nanos);
  EXPECT_NEAR(seen, 3, 0.5);  // with the test's own
}

TEST(pprof_wall, comes_as_text_too) {
  chan<int> const gate(0);
  sync::wait_group ended;
  ended.go([&] { wait_at(gate); });
  testing::wait_until_parked(1);
  wall_profile wall = begin();
  {
    capture_time const some(50 * ms);
    some.over.recv();
  }
  std::string const text = wall.stop(1);
  gate.close();
  ended.wait();
  EXPECT_THAT(text, StartsWith("wall profile: total "));
  EXPECT_THAT(text, HasSubstr("wait_at"));
  EXPECT_THAT(text, HasSubstr("\"wait_reason\":\"chan receive\""));
}

}  // namespace
}  // namespace vole::pprof
