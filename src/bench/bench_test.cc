// SPDX-License-Identifier: Apache-2.0

#include "vole/bench.h"

#include <cstdio>
#include <cstdlib>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <sys/mman.h>
#include <vector>

#include "vole/internal/atomic.h"
#include "vole/internal/clock.h"
#include "vole/runtime.h"

#include "bench/flags.h"
#include "bench/match.h"
#include "bench/profiles.h"
#include "bench/result.h"
#include "bench/runner.h"
#include "bench/state.h"
#include "bench/testing_run.h"

namespace vole::bench {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::MatchesRegex;

// --- the benchmarks that the tests below run ---

constinit vole::internal::atomic<std::int64_t> turns_seen{0};
constinit vole::internal::atomic<bool> somebody_left{false};
constinit std::vector<std::int64_t>* rounds_seen = nullptr;

VOLE_BENCH(loops) {
  std::int64_t turns = 0;
  while (b.loop()) ++turns;
  turns_seen.store(turns);
  EXPECT_EQ(b.n, turns);
}
VOLE_BENCH(counts) {
  rounds_seen->push_back(b.n);
  for (std::int64_t i = 0; i < b.n; ++i) clobber();
}
VOLE_BENCH(leaves_early) {
  while (b.loop()) {
    if (b.elapsed() >= 0ns) break;
  }
}
VOLE_BENCH(fails) {
  b.fatal("lost {} of {}", 1, 2);
  while (b.loop()) ADD_FAILURE() << "a fatal benchmark loops on";
}
VOLE_BENCH(fails_within) {
  std::int64_t turns = 0;
  while (b.loop()) {
    if (++turns == 3) b.fail("the third turn");
    if (turns == 5) b.fatal("the fifth turn");
  }
  turns_seen.store(turns);
}
VOLE_BENCH(stops_in_the_loop) {
  turns_seen.store(0);
  while (b.loop()) {
    turns_seen.fetch_add(1);
    b.stop_timer();
  }
}
VOLE_BENCH(loops_twice) {
  turns_seen.store(0);
  while (b.loop()) clobber();
  while (b.loop()) turns_seen.fetch_add(1);
}
VOLE_BENCH(never_loops) {
  clobber();
}
VOLE_BENCH(skips) {
  b.skip("not on this machine");
}
VOLE_BENCH(has_subs) {
  for (int const size : {1, 2}) {
    b.run(fmt::format("size={}", size), [](benchmark& sub) {
      while (sub.loop()) clobber();
    });
  }
  b.run("two words", [](benchmark& sub) {
    sub.log("hello");
    while (sub.loop()) clobber();
  });
  b.run("size=1", [](benchmark& sub) {
    while (sub.loop()) clobber();
  });
}
VOLE_BENCH(nearly_equal) {
  for (std::string_view const sub : {"a b", "a_b", "a_b#01", "", "x/y", "x_y"}) {
    b.run(sub, [](benchmark& part) {
      while (part.loop()) clobber();
    });
  }
}
VOLE_BENCH(calls) {
  std::int64_t turns = 0;
  b.loop([&] { return ++turns; });
  EXPECT_EQ(b.n, turns);
  turns_seen.store(turns);
}
VOLE_BENCH(calls_void) {
  std::int64_t turns = 0;
  b.loop([&] { ++turns; });
  turns_seen.store(turns);
}
VOLE_BENCH(cleans_up) {
  std::string& order = b.once([] { return std::string(); });
  b.cleanup([&] { order += 'a'; });
  b.cleanup([&, n = std::int64_t{b.n}] {
    order += 'b';
    if (n == 3) turns_seen.store(static_cast<std::int64_t>(order.size()));
  });
  order += '(';
  for (std::int64_t i = 0; i < b.n; ++i) clobber();
  order += ')';
  EXPECT_TRUE(order == "()" || order.starts_with("()ba")) << order;
}
constinit int set_ups = 0;
VOLE_BENCH(sets_up_once) {
  int& first = b.once([] { return ++set_ups; });
  std::string const& second = b.once([] { return std::string("made"); });
  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, "made");
  for (std::int64_t i = 0; i < b.n; ++i) clobber();
}
void work_for(std::chrono::nanoseconds wanted) {
  time_point const begun = vole::internal::now();
  while (vole::internal::now() - begun < wanted) clobber();
}
VOLE_BENCH(hides_in_loop) {
  while (b.loop()) {
    b.stop_timer();
    work_for(100us);
    b.start_timer();
  }
}
VOLE_BENCH(hides_in_n) {
  b.stop_timer();
  work_for(200ms);  // set-up, more than all the time there is
  b.start_timer();
  for (std::int64_t i = 0; i < b.n; ++i) {
    b.stop_timer();
    work_for(50us);
    b.start_timer();
  }
}
VOLE_BENCH(removed_n) {
  [[maybe_unused]] int sum = 0;
  for (std::int64_t i = 0, n = b.n; i < n; ++i) sum += 1;
}
VOLE_BENCH(works) {
  while (b.loop()) work_for(1us);
}
VOLE_BENCH(grows) {
  for (int const n : {1, 2, 4, 8}) {
    b.run(fmt::format("n={}", n), [n](benchmark& sub) {
      while (sub.loop()) clobber();
      sub.report_metric(n * 100.0, "ns/op");
    });
  }
}
VOLE_BENCH(talks) {
  for (int i = 0; i < 12; ++i) b.log("line {}\nand more", i);
  while (b.loop()) clobber();
}
VOLE_BENCH(touches_pages) {
  std::size_t const bytes = 4096;
  while (b.loop()) {
    void* const page =
        mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *static_cast<char volatile*>(page) = 1;
    munmap(page, bytes);
  }
}
VOLE_BENCH(metrics) {
  while (b.loop()) clobber();
  b.set_bytes(1'000'000);
  b.report_metric(12.5, "widgets/op");
  b.report_metric(0, "errors/op");
  b.report_metric(1e9, "ns/op");
}
VOLE_BENCH(parallel_sum) {
  turns_seen.store(0);
  b.run_parallel([](parallel& turns) {
    while (turns.next()) turns_seen.fetch_add(1);
  });
  EXPECT_EQ(turns_seen.load(), b.n);
}
VOLE_BENCH(parallel_works) {
  b.run_parallel([](parallel& turns) {
    while (turns.next()) work_for(1us);
  });
}
VOLE_BENCH(parallel_leaves_early) {
  b.run_parallel([](parallel&) {});
}
VOLE_BENCH(parallel_one_leaves_early) {
  somebody_left.store(false);
  b.run_parallel([](parallel& turns) {
    bool const first = !somebody_left.exchange(true);
    while (turns.next()) {
      if (first) return;
    }
  });
}
VOLE_BENCH(timer) {
  b.stop_timer();
  std::chrono::nanoseconds const before = b.elapsed();
  for (int i = 0; i < 1000; ++i) clobber();
  EXPECT_EQ(b.elapsed(), before);
  b.start_timer();
  time_point const started = vole::internal::now();
  while (vole::internal::now() == started) clobber();
  b.stop_timer();
  EXPECT_GT(b.elapsed(), before);
  b.reset_timer();
  EXPECT_EQ(b.elapsed(), 0ns);
  b.start_timer();
  while (b.loop()) clobber();
}

TEST(bench, prints_labels_name_iterations_and_time_as_go_does) {
  outcome const seen = run({"-bench=^Loops$", "-benchtime=7x"});
  EXPECT_TRUE(seen.good);
  EXPECT_EQ(turns_seen.load(), 7);
  EXPECT_THAT(seen.out, testing::StartsWith("goos: linux\ngoarch: "));
  EXPECT_THAT(seen.out, HasSubstr("\npkg: some/pkg\n"));
  std::string const name = "BenchmarkLoops" + procs_suffix();
  std::string const padded =
      fmt::format("{:<{}}\t       7\t", name, name.size() + procs_suffix().size() + 1);
  EXPECT_THAT(seen.out, HasSubstr('\n' + padded));
  EXPECT_THAT(seen.out, MatchesRegex("(.|\n)*[0-9] ns/op\n"));
}

TEST(bench, loop_grows_until_the_time_is_used) {
  outcome const seen = run({"-bench=^Loops$", "-benchtime=50ms"});
  EXPECT_TRUE(seen.good);
  EXPECT_GT(turns_seen.load(), 1000);
}

TEST(bench, a_body_with_n_is_called_with_growing_counts) {
  std::vector<std::int64_t> rounds;
  rounds_seen = &rounds;
  EXPECT_TRUE(run({"-bench=^Counts$", "-benchtime=50ms"}).good);
  ASSERT_GE(rounds.size(), 2U);
  EXPECT_EQ(rounds.front(), 1);
  for (std::size_t i = 1; i < rounds.size(); ++i) {
    EXPECT_GT(rounds[i], rounds[i - 1]);
    EXPECT_LE(rounds[i], 100 * rounds[i - 1]);
  }
  rounds.clear();
  EXPECT_TRUE(run({"-bench=^Counts$", "-benchtime=1x"}).good);
  EXPECT_THAT(rounds, testing::ElementsAre(1));
  rounds.clear();
  EXPECT_TRUE(run({"-bench=^Counts$", "-benchtime=5x", "-count=2"}).good);
  EXPECT_THAT(rounds, testing::ElementsAre(1, 5, 1, 5));
}

TEST(bench, leaving_the_loop_early_is_a_failure) {
  outcome const seen = run({"-bench=LeavesEarly", "-benchtime=5x"});
  EXPECT_FALSE(seen.good);
  EXPECT_THAT(seen.out, HasSubstr("--- FAIL: BenchmarkLeavesEarly\n"));
  EXPECT_THAT(seen.log, HasSubstr("BenchmarkLeavesEarly: the body returned before b.loop()"));
}

TEST(bench, a_loop_that_leaves_the_timer_stopped_is_a_failure_and_ends) {
  outcome const seen = run({"-bench=^(StopsInTheLoop|Loops)$", "-benchtime=5x"});
  EXPECT_FALSE(seen.good);
  EXPECT_THAT(seen.out, HasSubstr("--- FAIL: BenchmarkStopsInTheLoop\n"));
  EXPECT_EQ(turns_seen.load(), 1);
  EXPECT_THAT(seen.log,
              HasSubstr("BenchmarkStopsInTheLoop: b.loop() was called with the timer stopped\n"));
  EXPECT_THAT(seen.out, HasSubstr("BenchmarkLoops" + procs_suffix()));
}

TEST(bench, a_second_loop_is_a_failure_and_makes_no_turn) {
  outcome const seen = run({"-bench=^LoopsTwice$", "-benchtime=5x"});
  EXPECT_FALSE(seen.good);
  EXPECT_EQ(turns_seen.load(), 0);
  EXPECT_EQ(seen.out, "--- FAIL: BenchmarkLoopsTwice\n");
  EXPECT_EQ(seen.log, "    BenchmarkLoopsTwice: b.loop() was called again after it was false\n");
}

TEST(bench, a_body_that_neither_loops_nor_reads_n_is_a_failure) {
  outcome const seen = run({"-bench=NeverLoops", "-benchtime=5x"});
  EXPECT_FALSE(seen.good);
  EXPECT_EQ(seen.out, "--- FAIL: BenchmarkNeverLoops\n");
  EXPECT_THAT(seen.log,
              HasSubstr("BenchmarkNeverLoops: the body neither called b.loop() nor read"));
}

TEST(bench, fail_goes_on_and_fatal_ends_the_loop) {
  outcome const seen = run({"-bench=^FailsWithin$", "-benchtime=9x"});
  EXPECT_FALSE(seen.good);
  EXPECT_EQ(turns_seen.load(), 5);
  EXPECT_EQ(seen.log,
            "    BenchmarkFailsWithin: the third turn\n    BenchmarkFailsWithin: the fifth turn\n");
}

TEST(bench, fatal_before_the_loop_and_the_words_go_to_the_log) {
  outcome const seen = run({"-bench=^Fails$"});
  EXPECT_FALSE(seen.good);
  EXPECT_EQ(seen.out, "--- FAIL: BenchmarkFails\n");
  EXPECT_EQ(seen.log, "    BenchmarkFails: lost 1 of 2\n");
}

TEST(bench, skip_prints_no_result) {
  outcome const seen = run({"-bench=^Skips$"});
  EXPECT_TRUE(seen.good);
  EXPECT_EQ(seen.out, "");
}

TEST(bench, sub_benchmarks_are_measured_in_place_of_their_parent) {
  outcome const seen = run({"-bench=^HasSubs$", "-benchtime=2x"});
  EXPECT_TRUE(seen.good);
  EXPECT_THAT(seen.out, HasSubstr("BenchmarkHasSubs/size=1" + procs_suffix()));
  EXPECT_THAT(seen.out, HasSubstr("BenchmarkHasSubs/size=2" + procs_suffix()));
  EXPECT_THAT(seen.out, HasSubstr("BenchmarkHasSubs/two_words" + procs_suffix()));
  EXPECT_THAT(seen.out, HasSubstr("BenchmarkHasSubs/size=1#01" + procs_suffix()));
  EXPECT_THAT(seen.out, Not(HasSubstr("BenchmarkHasSubs" + procs_suffix() + ' ')));
}

// As by Go 1.26, which was asked.
TEST(bench, sub_benchmarks_whose_names_are_printed_alike_are_numbered) {
  outcome const seen = run({"-bench=^NearlyEqual$", "-benchtime=1x", "-v"});
  EXPECT_TRUE(seen.good);
  for (char const* name : {"a_b", "a_b#01", "a_b#01#01", "#00", "x/y", "x_y"}) {
    std::string const line = fmt::format("\nBenchmarkNearlyEqual/{}\n", name);
    EXPECT_THAT(seen.out, HasSubstr(line));
    EXPECT_EQ(seen.out.find(line), seen.out.rfind(line)) << line;
  }
}

TEST(bench, a_pattern_may_name_a_sub_benchmark_as_the_source_does) {
  outcome const seen = run({"-bench=HasSubs/two words", "-benchtime=1x"});
  EXPECT_THAT(seen.out, HasSubstr("BenchmarkHasSubs/two_words" + procs_suffix()));
}

TEST(bench, a_pattern_with_a_slash_picks_among_sub_benchmarks) {
  outcome const seen = run({"-bench", "HasSubs/size=2", "-benchtime=2x"});
  EXPECT_THAT(seen.out, HasSubstr("size=2"));
  EXPECT_THAT(seen.out, Not(HasSubstr("size=1")));
}

TEST(bench, metrics_come_after_the_rate_and_override_what_is_built_in) {
  outcome const seen = run({"-bench=^Metrics$", "-benchtime=1x"});
  EXPECT_THAT(seen.out,
              testing::EndsWith(" MB/s\t         0 errors/op\t        12.50 widgets/op\n"));
  EXPECT_THAT(seen.out, HasSubstr("\t1000000000 ns/op\t"));
}

TEST(bench, run_parallel_shares_exactly_n_turns) {
  EXPECT_TRUE(run({"-bench=^ParallelSum$", "-benchtime=10007x"}).good);
  EXPECT_EQ(turns_seen.load(), 10007);
}

TEST(bench, a_parallel_body_that_leaves_early_is_a_failure) {
  outcome const seen = run({"-bench=ParallelLeavesEarly", "-benchtime=5x"});
  EXPECT_FALSE(seen.good);
  EXPECT_THAT(seen.log, HasSubstr("returned before turns.next() was false"));
}

TEST(bench, a_stopped_timer_stands_still) {
  EXPECT_TRUE(run({"-bench=^Timer$", "-benchtime=3x"}).good);
}

TEST(bench, verbose_prints_names_first_and_logs_to_the_log) {
  outcome const seen = run({"-bench=HasSubs/two", "-benchtime=1x", "-v"});
  EXPECT_THAT(seen.out, HasSubstr("\nBenchmarkHasSubs\nBenchmarkHasSubs/two_words\n"));
  EXPECT_THAT(seen.log, HasSubstr("BenchmarkHasSubs/two_words: hello\n"));
}

TEST(bench, a_loop_over_a_callable_makes_every_turn) {
  EXPECT_TRUE(run({"-bench=^Calls$", "-benchtime=9x"}).good);
  EXPECT_EQ(turns_seen.load(), 9);
  EXPECT_TRUE(run({"-bench=^CallsVoid$", "-benchtime=7x"}).good);
  EXPECT_EQ(turns_seen.load(), 7);
}

TEST(bench, cleanups_run_after_the_body_the_last_one_first) {
  EXPECT_TRUE(run({"-bench=^CleansUp$", "-benchtime=3x"}).good);
  EXPECT_EQ(turns_seen.load(), 7);  // "()ba()b"
}

TEST(bench, once_is_made_once_for_all_rounds_and_repetitions) {
  set_ups = 0;
  EXPECT_TRUE(run({"-bench=^SetsUpOnce$", "-benchtime=4x", "-count=3"}).good);
  EXPECT_EQ(set_ups, 1);
}

TEST(bench, a_loop_that_hides_its_time_is_ended) {
  outcome const seen = run({"-bench=^HidesInLoop$", "-benchtime=100ms"});
  EXPECT_TRUE(seen.good);
  // Unbounded, 100 ms of timed work would hide minutes; three times 100 ms are 3000 turns.
  EXPECT_THAT(seen.log, HasSubstr("and three times -benchtime is the most they may"));
}

TEST(bench, set_up_does_not_count_as_hidden_time_but_what_grows_with_n_does) {
  outcome const seen = run({"-bench=^HidesInN$", "-benchtime=50ms"});
  EXPECT_TRUE(seen.good);
  EXPECT_THAT(seen.log, HasSubstr("and three times -benchtime is the most they may"));
  EXPECT_THAT(seen.out, Not(testing::ContainsRegex("\t *1\t")));
}

TEST(bench, a_removed_body_is_reported) {
  EXPECT_THAT(run({"-bench=^RemovedN$", "-benchtime=1s"}).log, HasSubstr("body removed"));
  EXPECT_EQ(run({"-bench=^Works$", "-benchtime=5ms"}).log, "");
}

TEST(bench, what_is_too_short_to_measure_says_so) {
  // This one first: a page that the loop's code is fetched from takes longer than three turns.
  EXPECT_EQ(run({"-bench=^Loops$", "-benchtime=1x"}).log, "");
  // Whether three turns are too short is up to the machine each time.
  bool said = false;
  for (int i = 0; i < 100 && !said; ++i) {
    std::string const log = run({"-bench=^Loops$", "-benchtime=3x"}).log;
    said = log.find("too short to measure: 3 iterations") != log.npos;
  }
  EXPECT_TRUE(said);
}

TEST(bench, the_growth_over_n_is_fitted_and_shown_on_the_log) {
  outcome const seen = run({"-bench=^Grows$", "-benchtime=2x"});
  EXPECT_THAT(seen.log, testing::EndsWith("BenchmarkGrows/n=*" + procs_suffix() +
                                          ": grows as O(n): 100 ns * n, rms 0 %\n"));
  EXPECT_THAT(seen.out, Not(HasSubstr("grows")));
  EXPECT_EQ(run({"-bench=^Grows$", "-benchtime=1x"}).log, "");  // single cold calls
}

TEST(bench, logs_are_shown_on_the_log_only_and_cut_after_ten) {
  outcome const seen = run({"-bench=^Talks$", "-benchtime=1x"});
  EXPECT_THAT(seen.log, testing::StartsWith("--- BENCH: BenchmarkTalks" + procs_suffix() +
                                            "\n    BenchmarkTalks: line 0\n        and more\n"));
  EXPECT_THAT(seen.log, testing::EndsWith("    ... 2 more\n"));
  EXPECT_THAT(seen.out, Not(HasSubstr("line")));
}

TEST(bench, run_parallel_reports_the_latency_of_single_iterations) {
  outcome const seen = run({"-bench=^ParallelWorks$", "-benchtime=5000x"});
  for (std::string_view unit : {" max-ns/op", " p50-ns/op", " p99-ns/op"}) {
    EXPECT_THAT(seen.out, HasSubstr(unit));
  }
}

TEST(bench, one_parallel_body_that_leaves_with_turns_in_hand_is_a_failure) {
  outcome const seen = run({"-bench=^ParallelOneLeavesEarly$", "-benchtime=100ms"});
  EXPECT_FALSE(seen.good);
  EXPECT_THAT(seen.log, HasSubstr("returned before turns.next() was false"));
}

TEST(bench, counters_are_metrics_per_operation) {
  outcome const seen = run({"-bench=^TouchesPages$", "-benchtime=500x", "-counters"});
  EXPECT_THAT(seen.out, testing::ContainsRegex("\t +1\\.[0-9]+ page-faults/op"));
  EXPECT_THAT(seen.out, HasSubstr(" context-switches/op"));
  // What the kernel does not count is named once, and not printed as zero.
  bool const counted = seen.out.find(" instructions/op") != std::string::npos;
  EXPECT_EQ(counted, seen.log.find("instructions/op") == std::string::npos);
}

TEST(bench, a_longer_name_of_a_sub_benchmark_widens_the_column_with_gos_slack) {
  outcome const seen = run({"-bench=^Grows$", "-benchtime=1x"});
  std::string const name = "BenchmarkGrows/n=1" + procs_suffix();
  std::size_t const width = std::string("BenchmarkGrows/n=1").size() + procs_suffix().size() + 9;
  EXPECT_THAT(seen.out, HasSubstr(fmt::format("\n{:<{}}\t", name, width)));
}

// --- the format ---

TEST(bench_format, numbers_keep_four_digits_and_one_column_for_the_point) {
  auto const ns = [](std::int64_t n, std::int64_t total) {
    return to_line({.n = n, .time = std::chrono::nanoseconds(total)});
  };
  EXPECT_EQ(ns(1, 1'234'567), "       1\t   1234567 ns/op");
  EXPECT_EQ(ns(10, 9'999), "      10\t       999.9 ns/op");
  EXPECT_EQ(ns(10, 9'999'6), "      10\t     10000 ns/op");
  EXPECT_EQ(ns(1'000, 22'914), "    1000\t        22.91 ns/op");
  EXPECT_EQ(ns(1'000'000'000, 1'234'000'000), "1000000000\t         1.234 ns/op");
  EXPECT_EQ(ns(1'000'000'000, 312'345'678), "1000000000\t         0.3123 ns/op");
  EXPECT_EQ(ns(1'000'000'000, 31'234'567), "1000000000\t         0.03123 ns/op");
  EXPECT_EQ(ns(1'000'000'000, 3'123'456), "1000000000\t         0.003123 ns/op");
  EXPECT_EQ(ns(1'000'000'000, 312'345), "1000000000\t         0.0003123 ns/op");
}

TEST(bench_format, zero_time_per_op_is_left_out) {
  measurement m{.n = 5, .time = 10ns};
  m.extra["ns/op"] = 0;
  m.extra["x/op"] = 3;
  EXPECT_EQ(to_line(m), "       5\t         3.000 x/op");
}

TEST(bench_format, memory_columns_divide_in_whole_numbers_from_one_on) {
  measurement m{.n = 4, .time = 10ns, .blocks = 7, .block_bytes = 130};
  EXPECT_EQ(to_memory_columns(m), "      32 B/op\t       1 allocs/op");
  m.blocks = 1;
  m.block_bytes = 2;
  EXPECT_EQ(to_memory_columns(m), "     0.5 B/op\t    0.25 allocs/op");
  m.blocks = m.block_bytes = 0;
  EXPECT_EQ(to_memory_columns(m), "       0 B/op\t       0 allocs/op");
}

// As by Go 1.26 on amd64, which was asked.
TEST(bench_format, what_is_no_number_is_printed_as_by_go) {
  measurement m{.n = 1, .time = 300ns};
  double const inf = std::numeric_limits<double>::infinity();
  double const nan = std::numeric_limits<double>::quiet_NaN();
  m.extra = {{"MB/s", nan}, {"n/op", -nan}, {"y/op", inf}, {"z/op", -inf}};
  EXPECT_EQ(to_line(m),
            "       1\t       300.0 ns/op\t    NaN MB/s\t               NaN n/op\t"
            "      +Inf y/op\t      -Inf z/op");
  m.extra = {{"B/op", nan}, {"allocs/op", inf}};
  EXPECT_EQ(to_memory_columns(m), "-9223372036854775808 B/op\t-9223372036854775808 allocs/op");
}

TEST(bench_format, names_are_in_gos_spelling) {
  EXPECT_EQ(camel_case("chan_send"), "ChanSend");
  EXPECT_EQ(camel_case("spawn_1000"), "Spawn1000");
  EXPECT_EQ(full_name("BenchmarkX", 1), "BenchmarkX");
  EXPECT_EQ(full_name("BenchmarkX", 2), "BenchmarkX-2");
}

TEST(bench_format, prediction_grows_a_fifth_above_the_goal_and_at_most_a_hundredfold) {
  EXPECT_EQ(predict_n(1s, 1, 0ns, 1), 100);
  EXPECT_EQ(predict_n(1s, 100, 100us, 100), 10'000);
  EXPECT_EQ(predict_n(1s, 1'000, 500ms, 1'000), 2'400);
  EXPECT_EQ(predict_n(1s, 1'000, 10s, 1'000), 1'001);
  EXPECT_EQ(predict_n(1s, 500'000'000, 1ns, 500'000'000), iterations_max);
}

// --- the command line ---

TEST(bench_flags, are_read_in_all_of_gos_forms) {
  flags const f = *parse_flags({"-bench=Send", "--benchtime", "100x", "-count=3", "-cpu", "1,2,4",
                                "-test.benchmem", "-v=false"});
  EXPECT_EQ(f.bench, "Send");
  EXPECT_EQ(f.benchtime_n, 100);
  EXPECT_EQ(f.count, 3);
  EXPECT_THAT(f.cpus, testing::ElementsAre(1, 2, 4));
  EXPECT_EQ(parse_flags({"-test.timeout=1m30s"})->timeout, 90s);
  EXPECT_EQ(parse_flags({"-test.shuffle=42"})->shuffle_seed, 42U);
  EXPECT_FALSE(parse_flags({"-shuffle=off"})->shuffle_seed);
  EXPECT_EQ(parse_flags({"-test.cpuprofile", "cpu.out"})->cpu_profile, "cpu.out");
  EXPECT_EQ(parse_flags({"-test.run=^$"})->run, "^$");
  EXPECT_TRUE(f.benchmem);
  EXPECT_FALSE(f.verbose);
}

TEST(bench_flags, are_read_as_go_reads_them) {
  flags const f = *parse_flags({"-benchmem=1", "-v=test2json", "-count=0", "-cpu= 1, 2 ,", "-short",
                                "-memprofilerate=1", "-blockprofilerate=20", "-parallel", "4",
                                "-failfast", "-mutexprofilefraction=1", "--", "-nonsense", "file"});
  EXPECT_TRUE(f.benchmem);
  EXPECT_TRUE(f.verbose);
  EXPECT_TRUE(f.test2json);
  EXPECT_EQ(f.count, 0);
  EXPECT_THAT(f.cpus, testing::ElementsAre(1, 2));
  EXPECT_EQ(f.mem_profile_rate, 1);
  EXPECT_EQ(f.block_profile_rate, 20);
  EXPECT_FALSE(parse_flags({"-benchmem", "-benchmem=F"})->benchmem);
}

TEST(bench_flags, callgrind_counts_iterations_and_no_time) {
  EXPECT_THAT(parse_flags({"-callgrind", "-benchtime=2s"}).error().message(),
              HasSubstr("wants the form 100x"));
  EXPECT_TRUE(parse_flags({"-callgrind", "-benchtime=2s", "-benchtime=5x"}));
}

TEST(bench_flags, the_last_benchtime_wins) {
  flags const time = *parse_flags({"-benchtime=100x", "-benchtime=3s"});
  EXPECT_EQ(time.benchtime_n, 0);
  EXPECT_EQ(time.benchtime, 3s);
  EXPECT_EQ(parse_flags({"-benchtime=3s", "-benchtime=100x"})->benchtime_n, 100);
}

TEST(bench_flags, refuse_what_they_do_not_understand) {
  auto const why = [](std::string_view arg) { return parse_flags({arg}).error().message(); };
  EXPECT_EQ(why("-nonsense"), "unknown flag -nonsense; -help lists them");
  EXPECT_EQ(why("file"), "'file' is not a flag; -help lists them");
  EXPECT_EQ(why("-bench"), "flag -bench needs a value");
  EXPECT_EQ(why("-count=-1"), "flag -count: '-1' is not a positive whole number");
  EXPECT_EQ(why("-cpu=5000"),
            "flag -cpu: '5000' is more than the 1024 that a runtime has at the most");
  EXPECT_EQ(why("-cpu=1,x"), "flag -cpu: 'x' is not a positive whole number");
  EXPECT_EQ(why("-benchtime=3"), "flag -benchtime: '3' is not a duration like 1.5s or 100ms");
  EXPECT_EQ(why("-benchtime=0s"), "flag -benchtime: '0s' is not more than zero");
  EXPECT_EQ(why("-v=maybe"), "flag -v: 'maybe' is neither true nor false");
  EXPECT_EQ(why("-shuffle=x"), "flag -shuffle: 'x' is neither on nor off nor a whole number");
  EXPECT_EQ(why("-timeout=x"), "flag -timeout: 'x' is not a duration like 1.5s or 100ms");
  EXPECT_EQ(why("-profile-each="), "flag -profile-each: the value is empty");
  EXPECT_THAT(parse_flags({"-cpu=1,2", "-cpuprofile=x"}).error().message(),
              HasSubstr("a profile of the whole run goes with one value of -cpu"));
  EXPECT_THAT(parse_flags({"-callgrind", "-cpu=2"}).error().message(), HasSubstr("leave -cpu out"));
}

TEST(bench_flags, durations_are_gos) {
  EXPECT_EQ(*parse_duration("1.5s"), 1500ms);
  EXPECT_EQ(*parse_duration("1m30s"), 90s);
  EXPECT_EQ(*parse_duration("250us"), 250us);
  EXPECT_FALSE(parse_duration(""));
  EXPECT_FALSE(parse_duration("s"));
  EXPECT_FALSE(parse_duration("5 s"));
}

TEST(bench_match, each_level_has_its_expression) {
  auto const match = [](std::string_view p, std::string_view name) {
    return pattern::parse(p)->match(name);
  };
  EXPECT_EQ(match("Send", "ChanSend"), match_kind::full);
  EXPECT_EQ(match("^Send", "ChanSend"), match_kind::none);
  EXPECT_EQ(match("Chan/size", "ChanSend"), match_kind::partial);
  EXPECT_EQ(match("Chan/size", "ChanSend/size=1"), match_kind::full);
  EXPECT_EQ(match("Chan", "ChanSend/size=1"), match_kind::full);
  EXPECT_EQ(match("A|B/c", "B/c"), match_kind::full);
  EXPECT_EQ(match("A|B/c", "B/d"), match_kind::none);
  EXPECT_EQ(match("[/|]x", "/x"), match_kind::none);
  EXPECT_EQ(match("(A|B)$", "B"), match_kind::full);
}

TEST(bench_match, a_pattern_may_name_what_is_printed) {
  auto const match = [](std::string_view p, std::string_view name) {
    return selection{*pattern::parse(p), std::nullopt}.match(name);
  };
  EXPECT_EQ(match("^BenchmarkSum$", "Sum"), match_kind::full);
  EXPECT_EQ(match("^Sum$", "Sum"), match_kind::full);
  EXPECT_EQ(match("^BenchmarkSum$/n=1", "Sum/n=1"), match_kind::full);
  EXPECT_EQ(match("^BenchmarkSum$", "SumAll"), match_kind::none);
  selection const skips{*pattern::parse("."), *pattern::parse("^BenchmarkSum$")};
  EXPECT_EQ(skips.match("Sum"), match_kind::none);
  EXPECT_EQ(skips.match("Sums"), match_kind::full);
}

TEST(bench_match, an_expression_may_ignore_the_case) {
  auto const match = [](std::string_view p, std::string_view name) {
    return pattern::parse(p)->match(name);
  };
  EXPECT_EQ(match("(?i)chansend", "ChanSend"), match_kind::full);
  EXPECT_EQ(match("chansend", "ChanSend"), match_kind::none);
  EXPECT_EQ(match("Chan/(?i)SIZE", "ChanSend/size=1"), match_kind::full);
  EXPECT_EQ(match("(?i)chan/SIZE", "ChanSend/size=1"), match_kind::none);
}

TEST(bench_profiles, each_benchmark_has_a_file_of_its_own) {
  EXPECT_EQ(file_stem("BenchmarkX/n=1-2"), "BenchmarkX_n=1-2");
  std::set<std::string> stems;
  for (char const* name : {"X/a/b", "X/a_b", "X/a%5Fb", "X/a/_b", "X/a_/b", "X/a//b", "X/a__b"}) {
    EXPECT_TRUE(stems.insert(file_stem(name)).second) << name;
  }
}

TEST(bench_match, a_bad_expression_is_named) {
  auto const bad = pattern::parse("A/(");
  ASSERT_FALSE(bad);
  EXPECT_THAT(bad.error().message(), HasSubstr("'(' is not a regular expression"));
}

}  // namespace
}  // namespace vole::bench
