// SPDX-License-Identifier: Apache-2.0

#include "vole/bench.h"

#include <cstdio>
#include <cstdlib>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <string_view>
#include <vector>

#include "vole/internal/atomic.h"
#include "vole/runtime.h"

#include "bench/flags.h"
#include "bench/match.h"
#include "bench/result.h"
#include "bench/runner.h"
#include "bench/state.h"

namespace vole::bench {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::MatchesRegex;

// --- the benchmarks that the tests below run ---

constinit internal::atomic<std::int64_t> turns_seen{0};
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
  b.fail("lost {} of {}", 1, 2);
  while (b.loop()) ADD_FAILURE() << "a failed benchmark loops on";
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
  b.run("two words", [](benchmark& sub) { sub.log("hello"); });
  b.run("size=1", [](benchmark& sub) {
    while (sub.loop()) clobber();
  });
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
VOLE_BENCH(parallel_leaves_early) {
  b.run_parallel([](parallel&) {});
}
VOLE_BENCH(timer) {
  b.stop_timer();
  std::chrono::nanoseconds const before = b.elapsed();
  for (int i = 0; i < 1000; ++i) clobber();
  EXPECT_EQ(b.elapsed(), before);
  b.start_timer();
  b.stop_timer();
  EXPECT_GT(b.elapsed(), before);
  b.reset_timer();
  EXPECT_EQ(b.elapsed(), 0ns);
  b.start_timer();
  while (b.loop()) clobber();
}

struct outcome {
  std::string out;
  std::string log;
  bool good = false;
};

outcome run(std::vector<std::string_view> const& args) {
  flags const options = *parse_flags(args);
  pattern const which = *pattern::parse(options.bench);
  char* text[2] = {};
  std::size_t size[2] = {};
  std::FILE* const out = open_memstream(&text[0], &size[0]);
  std::FILE* const log = open_memstream(&text[1], &size[1]);
  outcome seen;
  seen.good = runner(options, which, "some/pkg", out, log).run(matching(which));
  std::fclose(out);
  std::fclose(log);
  seen.out = text[0];
  seen.log = text[1];
  std::free(text[0]);
  std::free(text[1]);
  return seen;
}

std::string procs_suffix() {
  return full_name("", runtime::max_procs());
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
  EXPECT_EQ(seen.log, "");
}

TEST(bench, loop_grows_until_the_time_is_used) {
  outcome const seen = run({"-bench=^Loops$", "-benchtime=2ms"});
  EXPECT_TRUE(seen.good);
  EXPECT_GT(turns_seen.load(), 1000);
}

TEST(bench, a_body_with_n_is_called_with_growing_counts) {
  std::vector<std::int64_t> rounds;
  rounds_seen = &rounds;
  EXPECT_TRUE(run({"-bench=^Counts$", "-benchtime=1ms"}).good);
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

TEST(bench, fail_ends_the_loop_and_the_words_go_to_the_log) {
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
  EXPECT_EQ(seen.log, "");
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

TEST(bench_format, memory_columns_divide_in_whole_numbers) {
  measurement const m{.n = 4, .time = 10ns, .blocks = 7, .block_bytes = 130};
  EXPECT_EQ(to_memory_columns(m), "      32 B/op\t       1 allocs/op");
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
  EXPECT_TRUE(f.benchmem);
  EXPECT_FALSE(f.verbose);
}

TEST(bench_flags, refuse_what_they_do_not_understand) {
  auto const why = [](std::string_view arg) { return parse_flags({arg}).error().message(); };
  EXPECT_EQ(why("-nonsense"), "unknown flag -nonsense; -help lists them");
  EXPECT_EQ(why("file"), "'file' is not a flag; -help lists them");
  EXPECT_EQ(why("-bench"), "flag -bench needs a value");
  EXPECT_EQ(why("-count=0"), "flag -count: '0' is not a positive whole number");
  EXPECT_EQ(why("-cpu=1,x"), "flag -cpu: 'x' is not a positive whole number");
  EXPECT_EQ(why("-benchtime=3"), "flag -benchtime: '3' is not a duration like 1.5s or 100ms");
  EXPECT_EQ(why("-benchtime=0s"), "flag -benchtime: '0s' is not more than zero");
  EXPECT_EQ(why("-v=maybe"), "flag -v: 'maybe' is neither true nor false");
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

TEST(bench_match, a_bad_expression_is_named) {
  auto const bad = pattern::parse("A/(");
  ASSERT_FALSE(bad);
  EXPECT_THAT(bad.error().message(), HasSubstr("'(' is not a regular expression"));
}

}  // namespace
}  // namespace vole::bench
