// SPDX-License-Identifier: Apache-2.0
// Bodies that do what they should not, or in an unusual way: what is said of them, and that the
// others go on.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdexcept>
#include <string>

#include "vole/bench.h"
#include "vole/internal/atomic.h"
#include "vole/internal/clock.h"
#include "vole/runtime.h"
#include "vole/synctest.h"
#include "vole/time.h"

#include "bench/testing_run.h"

namespace vole::bench {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

constinit vole::internal::atomic<std::int64_t> turns{0};
constinit vole::internal::atomic<bool> first_taken{false};

void work_for(std::chrono::nanoseconds wanted) {
  time_point const begun = vole::internal::monotonic_now();
  while (vole::internal::monotonic_now() - begun < wanted) clobber();
}

std::size_t count_of(std::string const& text, std::string const& part) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != text.npos; at += part.size()) ++count;
  return count;
}

VOLE_BENCH(calm) {
  while (b.loop()) clobber();
}

// --- what parallel bodies say ---

constexpr int lines_each = 200;
constexpr int bodies_each = 8;
VOLE_BENCH(all_bodies_fail) {
  b.set_parallelism(bodies_each);
  b.run_parallel([&](parallel& own) {
    while (own.next()) {
    }
    for (int i = 0; i < lines_each; ++i) b.fail("line {}", i);
  });
}
TEST(bench_body, all_parallel_bodies_may_fail_at_the_same_time) {
  outcome const seen = run({"-bench=^(AllBodiesFail|Calm)$", "-benchtime=3x"});
  EXPECT_FALSE(seen.good);
  auto const lines = static_cast<std::size_t>(runtime::max_procs() * bodies_each * lines_each);
  EXPECT_EQ(count_of(seen.log, "    BenchmarkAllBodiesFail: line "), lines);
  EXPECT_THAT(seen.out, HasSubstr("--- FAIL: BenchmarkAllBodiesFail\n"));
  EXPECT_THAT(seen.out, HasSubstr("BenchmarkCalm" + procs_suffix()));
}

constexpr std::int64_t many_turns = 100'000'000;
VOLE_BENCH(one_body_is_fatal) {
  b.run_parallel([&](parallel& own) {
    while (own.next()) {
      turns.fetch_add(1);
      if (b.n > 1 && !first_taken.exchange(true)) b.fatal("lost {}", 7);
    }
  });
}
VOLE_BENCH(one_body_skips) {
  b.run_parallel([&](parallel& own) {
    while (own.next()) {
      if (b.n > 1) b.skip("not here");
    }
  });
}
TEST(bench_body, fatal_in_a_parallel_body_ends_all_of_them) {
  turns.store(0);
  first_taken.store(false);
  outcome const seen = run({"-bench=^OneBodyIsFatal$", fmt::format("-benchtime={}x", many_turns)});
  EXPECT_FALSE(seen.good);
  EXPECT_EQ(seen.log, "    BenchmarkOneBodyIsFatal: lost 7\n");
  EXPECT_LT(turns.load(), many_turns);
}
TEST(bench_body, skip_in_a_parallel_body_is_no_failure) {
  outcome const seen = run({"-bench=^OneBodySkips$", "-benchtime=100x"});
  EXPECT_TRUE(seen.good);
  EXPECT_THAT(seen.out, Not(HasSubstr("ns/op")));
  EXPECT_THAT(seen.log, HasSubstr("BenchmarkOneBodySkips: not here\n"));
}

VOLE_BENCH(parallel_in_the_loop) {
  while (b.loop()) {
    b.run_parallel([](parallel& own) {
      while (own.next()) turns.fetch_add(1);
    });
  }
}
TEST(bench_body, run_parallel_within_the_loop_is_a_failure) {
  outcome const seen = run({"-bench=^(ParallelInTheLoop|Calm)$", "-benchtime=5ms"});
  EXPECT_FALSE(seen.good);
  EXPECT_EQ(count_of(seen.log, "BenchmarkParallelInTheLoop: b.run_parallel() and b.loop() in one"),
            1U);
  EXPECT_THAT(seen.out, HasSubstr("BenchmarkCalm" + procs_suffix()));
}

VOLE_BENCH(quick_parallel) {
  b.run_parallel([](parallel& own) {
    while (own.next()) clobber();
  });
}
VOLE_BENCH(quick_parallel_again) {
  b.run_parallel([](parallel& own) {
    while (own.next()) clobber();
  });
}
TEST(bench_body, percentiles_that_the_clock_cannot_tell_are_left_out_which_is_said_once) {
  outcome const seen = run({"-bench=^QuickParallel", "-benchtime=300000x"});
  EXPECT_THAT(seen.out, Not(HasSubstr(" p50-ns/op")));
  EXPECT_EQ(count_of(seen.log, ": no p50-ns/op"), 1U) << seen.log;
  EXPECT_THAT(seen.log, HasSubstr("less than a reading of the clock takes"));
}

// --- timers ---

VOLE_BENCH(resets_in_the_loop) {
  while (b.loop()) {
    work_for(100us);
    b.reset_timer();
    clobber();
  }
}
VOLE_BENCH(resets_in_n) {
  for (std::int64_t i = 0; i < b.n; ++i) {
    work_for(100us);
    b.reset_timer();
    clobber();
  }
}
TEST(bench_body, a_reset_in_each_turn_ends_and_is_named) {
  for (char const* name : {"ResetsInTheLoop", "ResetsInN"}) {
    outcome const seen = run({fmt::format("-bench=^{}$", name), "-benchtime=10ms"});
    EXPECT_TRUE(seen.good);
    EXPECT_THAT(seen.log, HasSubstr("and three times -benchtime is the most they may"));
    EXPECT_THAT(seen.log, HasSubstr("reset_timer was called within the work"));
  }
}

VOLE_BENCH(resets_after_set_up) {
  work_for(20ms);
  b.reset_timer();
  for (std::int64_t i = 0; i < b.n; ++i) work_for(10us);
}
VOLE_BENCH(resets_before_the_loop) {
  work_for(20ms);
  b.reset_timer();
  while (b.loop()) work_for(10us);
}
TEST(bench_body, what_is_reset_before_the_work_is_set_up) {
  for (char const* name : {"ResetsAfterSetUp", "ResetsBeforeTheLoop"}) {
    outcome const seen = run({fmt::format("-bench=^{}$", name), "-benchtime=5ms"});
    EXPECT_THAT(seen.log, Not(HasSubstr("reset_timer was called")));
    EXPECT_THAT(seen.out, Not(testing::ContainsRegex("\t *[1-9]\t")));
  }
}

VOLE_BENCH(sleeps_in_a_bubble) {
  synctest::test([&] {
    while (b.loop()) {
      turns.fetch_add(1);
      time::sleep(1h);
    }
  });
}
TEST(bench_body, time_is_the_machines_also_in_a_bubble) {
  turns.store(0);
  outcome const seen = run({"-bench=^SleepsInABubble$", "-benchtime=20ms"});
  EXPECT_TRUE(seen.good);
  EXPECT_GT(turns.load(), 1);
}

// --- those that skip or throw ---

VOLE_BENCH(skips_from_a_hundred_on) {
  turns.fetch_add(1);
  if (b.n >= 100) return b.skip("enough");
  for (std::int64_t i = 0; i < b.n; ++i) clobber();
}
TEST(bench_body, one_that_skips_later_has_no_result_and_runs_no_more) {
  turns.store(0);
  outcome const seen = run({"-bench=^SkipsFromAHundredOn$", "-benchtime=50ms", "-count=3"});
  EXPECT_TRUE(seen.good);
  EXPECT_LE(turns.load(), 4);
  EXPECT_THAT(seen.out, Not(HasSubstr("ns/op")));
  EXPECT_TRUE(seen.out.ends_with("\t\n")) << seen.out;
  EXPECT_EQ(seen.log, "    BenchmarkSkipsFromAHundredOn: enough\n");
  EXPECT_THAT(run({"-bench=^SkipsFromAHundredOn$", "-benchtime=50ms", "-v"}).out,
              HasSubstr("\n--- SKIP: BenchmarkSkipsFromAHundredOn"));
}

VOLE_BENCH(skips_the_second_time) {
  if (turns.fetch_add(1) == 1) return b.skip("once was enough");
  while (b.loop()) clobber();
}
TEST(bench_body, one_that_skips_in_the_second_round_has_one_result) {
  turns.store(0);
  outcome const seen = run({"-bench=^SkipsTheSecondTime$", "-benchtime=20x", "-count=2"});
  EXPECT_TRUE(seen.good);
  EXPECT_EQ(count_of(seen.out, " ns/op"), 1U) << seen.out;
}

VOLE_BENCH(throws) {
  while (b.loop()) {
    if (b.elapsed() >= 0ns) throw std::runtime_error("out of cheese");
  }
}
VOLE_BENCH(throws_in_parallel) {
  b.run_parallel([](parallel& own) {
    while (own.next()) throw std::runtime_error("no {} braces");
  });
}
VOLE_BENCH(throws_in_cleanup) {
  b.cleanup([] { throw 7; });
  while (b.loop()) clobber();
}
VOLE_BENCH(throws_in_a_part) {
  b.run("bad", [](benchmark&) { throw std::out_of_range("far"); });
  b.run("good", [](benchmark& sub) {
    while (sub.loop()) clobber();
  });
}
TEST(bench_body, one_that_throws_fails_by_name_and_the_others_go_on) {
  outcome const seen = run({"-bench=^(Throws|Calm)", "-benchtime=20x"});
  EXPECT_FALSE(seen.good);
  EXPECT_THAT(seen.log,
              HasSubstr("BenchmarkThrows: the body threw std::runtime_error: out of cheese\n"));
  EXPECT_THAT(seen.log, HasSubstr("BenchmarkThrowsInParallel: a body of run_parallel threw "
                                  "std::runtime_error: no {} braces\n"));
  EXPECT_THAT(seen.log, HasSubstr("BenchmarkThrowsInCleanup: a cleanup threw exception of type "));
  EXPECT_THAT(seen.log, HasSubstr("BenchmarkThrowsInAPart/bad: the body threw std::out_of_range"));
  for (char const* name :
       {"Throws", "ThrowsInParallel", "ThrowsInCleanup", "ThrowsInAPart/bad", "ThrowsInAPart"}) {
    EXPECT_THAT(seen.out, HasSubstr(fmt::format("--- FAIL: Benchmark{}\n", name)));
  }
  EXPECT_THAT(seen.out, HasSubstr("BenchmarkThrowsInAPart/good" + procs_suffix()));
  EXPECT_THAT(seen.out, HasSubstr("BenchmarkCalm" + procs_suffix()));
}

VOLE_BENCH(says_its_count) {
  while (b.loop()) clobber();
  b.log("{} turns of {:>4}", b.n, b.n);
}
TEST(bench_body, the_number_of_iterations_can_be_printed) {
  EXPECT_THAT(run({"-bench=^SaysItsCount$", "-benchtime=20x"}).log, HasSubstr("20 turns of   20"));
}

}  // namespace
}  // namespace vole::bench
