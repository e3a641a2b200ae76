// SPDX-License-Identifier: Apache-2.0
// The statistics of `vole bench ab` in simulated machines: no clock, no process, the same numbers
// in every run. What the real machine adds is shown by tests/stress/ab_proof.sh.
#include "bench/ab.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <random>
#include <string>
#include <variant>
#include <vector>

#include "bench/ab_plan.h"
#include "bench/ab_profile.h"
#include "bench/ab_programs.h"
#include "bench/ab_slice.h"
#include "bench/ab_stat.h"

namespace vole::ab {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// --- the statistics alone

TEST(ab_stat, rank_sums_are_those_of_wilcoxon_s_table) {
  rank_sums sums;
  EXPECT_DOUBLE_EQ(sums.at_most(3, 0), 1.0 / 8);
  EXPECT_DOUBLE_EQ(sums.at_most(3, 3), 5.0 / 8);
  EXPECT_DOUBLE_EQ(sums.at_most(3, 6), 1);
  // The two-sided 5 % points for n = 10 and 20: 8 and 52.
  EXPECT_LE(2 * sums.at_most(10, 8), 0.05);
  EXPECT_GT(2 * sums.at_most(10, 9), 0.05);
  EXPECT_LE(2 * sums.at_most(20, 52), 0.05);
  EXPECT_GT(2 * sums.at_most(20, 53), 0.05);
}

TEST(ab_stat, an_outlier_moves_neither_center_nor_interval_far) {
  rank_sums sums;
  std::vector<double> values;
  for (int i = 0; i < 21; ++i) values.push_back(0.05 + 0.001 * (i - 10));
  estimate const clean = locate(values, 0.01, sums);
  values.back() = 100;
  estimate const spoiled = locate(values, 0.01, sums);
  EXPECT_NEAR(clean.center, 0.05, 1e-12);
  EXPECT_NEAR(spoiled.center, clean.center, 0.001);
  EXPECT_NEAR(spoiled.high, clean.high, 0.002);
  EXPECT_LT(spoiled.p, 1e-5);
}

TEST(ab_stat, too_few_differences_say_nothing) {
  rank_sums sums;
  estimate const few = locate(std::vector<double>{1, 2, 3}, 0.001, sums);
  EXPECT_TRUE(std::isinf(few.low) && std::isinf(few.high));
  EXPECT_DOUBLE_EQ(few.p, 0.25);
  EXPECT_EQ(locate(std::vector<double>(20, 0.0), 0.001, sums).p, 1);
}

TEST(ab_stat, fewer_than_the_least_differences_prove_nothing) {
  rank_sums sums;
  EXPECT_EQ(least_differences(0.0005, sums), 12);
  std::vector<double> values(12, 1.0);
  EXPECT_FALSE(std::isinf(locate(values, 0.0005, sums).low));
  values.pop_back();
  EXPECT_TRUE(std::isinf(locate(values, 0.0005, sums).low));
}

TEST(ab_stat, all_looks_together_spend_alpha) {
  double spent = 0;
  for (int look = 1; look < 10000; ++look) spent += spent_alpha(0.001, look);
  EXPECT_LT(spent, 0.001);
  EXPECT_GT(spent, 0.00099);
}

TEST(ab_stat, holm_is_the_step_down_product) {
  EXPECT_THAT(holm(std::vector<double>{0.01, 0.04, 0.03, 0.5}), ElementsAre(0.04, 0.09, 0.09, 0.5));
  EXPECT_THAT(holm(std::vector<double>{0.9, 0.8}), ElementsAre(1, 1));
}

TEST(ab_stat, a_machine_that_tells_a_program_from_itself_is_not_believed) {
  rank_sums sums;
  std::vector<double> const shifted = [] {
    std::vector<double> values;
    for (int i = 0; i < 30; ++i) values.push_back(0.04 + 0.0001 * i);
    return values;
  }();
  judgement const found = judge(shifted, shifted, {}, 1, 1, sums);
  EXPECT_EQ(found.verdict, verdict::cannot_tell);
  EXPECT_GT(found.floor, 0.04);
  EXPECT_EQ(judge(shifted, std::vector<double>(30, 0.0), {}, 1, 1, sums).verdict, verdict::slower);
}

// --- the order of slices

TEST(ab_plan, a_block_runs_each_program_twice_the_second_three_backwards) {
  rank_sums sums;
  comparison by({}, 7, sums);
  std::string orders;
  for (int block = 0; block < 60; ++block) {
    std::vector<arm> ran;
    for (int i = 0; i < 6; ++i) {
      ran.push_back(by.next());
      by.add({1 + 0.001 * i}, std::nullopt);
    }
    for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(ran[i], ran[5 - i]);
    std::string order;
    for (std::size_t i = 0; i < 3; ++i) order += "abc"[static_cast<std::size_t>(ran[i])];
    if (orders.find(order) == std::string::npos) orders += order + ' ';
  }
  EXPECT_EQ(orders.size(), 6U * 4);
}

TEST(ab_plan, what_drifts_evenly_cancels) {
  rank_sums sums;
  comparison by({}, 7, sums);
  for (int i = 0; i < 6 * 40 && !by.decided(); ++i) by.add({std::exp(0.01 * i)}, std::nullopt);
  by.finish();
  EXPECT_EQ(by.result().verdict, verdict::no_difference);
  EXPECT_NEAR(by.result().change, 0, 1e-9);
}

TEST(ab_plan, a_disturbed_slice_runs_again_and_a_disturbed_block_is_thrown_away) {
  rank_sums sums;
  comparison by({}, 7, sums);
  arm const first = by.next();
  by.add({1}, reason::steal);
  EXPECT_EQ(by.next(), first);
  by.add({1}, std::nullopt);
  for (int i = 0; i < 3; ++i) by.add({1}, reason::other_load);
  for (int i = 0; i < 5; ++i) by.add({1}, std::nullopt);
  EXPECT_EQ(by.blocks(), 0U);
  by.add({1}, std::nullopt);
  EXPECT_EQ(by.blocks(), 1U);
  EXPECT_EQ(by.discarded(reason::steal), 1U);
  EXPECT_EQ(by.discarded(reason::other_load), 3U);
  EXPECT_EQ(by.kept(arm::older).size(), 2U);
}

TEST(ab_plan, good_slices_without_a_whole_block_are_counted) {
  rank_sums sums;
  comparison by({}, 7, sums);
  for (int i = 0; i < 6 + 4; ++i) by.add({1}, std::nullopt);
  EXPECT_EQ(by.blockless(), 4U);
  for (int i = 0; i < 3; ++i) by.add({1}, reason::steal);
  EXPECT_EQ(by.blockless(), 4U);
  for (int i = 0; i < 2; ++i) by.add({1}, std::nullopt);
  EXPECT_EQ(by.blockless(), 6U);
  EXPECT_EQ(by.blocks(), 1U);
}

TEST(ab_plan, a_tick_of_steal_spoils_a_short_slice_only) {
  watch kernel;
  EXPECT_EQ(kernel.judge({.wall_seconds = 0.1, .stolen_seconds = 0.01}), reason::steal);
  EXPECT_FALSE(kernel.judge({.wall_seconds = 1, .stolen_seconds = 0.01}).has_value());
  EXPECT_EQ(kernel.judge({.wall_seconds = 1, .stolen_seconds = 0.03}), reason::steal);
}

TEST(ab_plan, the_slower_program_sets_the_length_of_a_slice) {
  using std::chrono::milliseconds;
  EXPECT_EQ(slice_iterations({1e-6, 50e-6}, milliseconds(20)), 400);
  EXPECT_EQ(slice_iterations({50e-6, 1e-6}, milliseconds(20)), 400);
  EXPECT_EQ(slice_iterations({1e-6, 3}, milliseconds(20)), 1);
  rank_sums sums;
  EXPECT_DOUBLE_EQ(least_seconds({1e-3, 2e-3}, 10, {}, sums), 12 * 2 * (2e-3 + 2e-3) * 10);
}

TEST(ab_plan, a_slice_is_disturbed_by_what_others_do) {
  watch kernel;
  disturbance const quiet{.wall_seconds = 0.03, .migrations = 1};
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(kernel.judge(quiet).has_value());
  auto const with = [&](auto change) {
    disturbance d = quiet;
    change(d);
    return kernel.judge(d);
  };
  EXPECT_EQ(with([](auto& d) { d.stolen_seconds = 0.01; }), reason::steal);
  EXPECT_EQ(with([](auto& d) { d.others_seconds = 0.03; }), reason::other_load);
  EXPECT_EQ(with([](auto& d) { d.throttles = 1; }), reason::throttling);
  EXPECT_EQ(with([](auto& d) { d.migrations = 9; }), reason::migrations);
  EXPECT_FALSE(with([](auto& d) { d.others_seconds = 0.01; }).has_value());
}

TEST(ab_plan, a_program_that_always_migrates_is_not_disturbed_by_that) {
  watch kernel;
  for (int i = 0; i < 30; ++i) {
    EXPECT_FALSE(kernel.judge({.wall_seconds = 0.03, .migrations = 40 + i % 7}).has_value());
  }
}

// --- whole comparisons in a simulated machine

struct machine {
  double noise = 0.015;   // standard deviation of a slice
  double wander = 0.01;   // per slice, of a level that comes back: phases of the machine
  double drift = 0.0005;  // per slice
  double spikes = 0.03;   // share of slices that something slows down, unseen
  double stolen = 0.05;   // share of slices that are slowed down, and seen
};

class simulation {
 public:
  simulation(machine const& of, std::uint64_t seed) : of_(of), random_(seed) {}

  // run compares until the verdict stands, or there were as many slices as a budget allows.
  judgement run(double slowdown, limits const& by, rank_sums& sums, int slices_max = 500) {
    comparison to(by, random_(), sums);
    for (int i = 0; i < slices_max && !to.decided(); ++i) {
      level_ = 0.9 * level_ + of_.wander * normal();
      double log = level_ + of_.drift * i + of_.noise * normal();
      if (to.next() == arm::newer) log += std::log1p(slowdown);
      if (uniform() < of_.spikes) log += heavy();
      bool const seen = uniform() < of_.stolen;
      if (seen) log += heavy();
      to.add({std::exp(log)}, seen ? std::optional(reason::steal) : std::nullopt);
    }
    to.finish();
    return to.result();
  }

 private:
  // Numbers of our own making, so that every library draws the same.
  double uniform() { return static_cast<double>(random_() >> 11) * 0x1p-53; }
  double normal() {
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += uniform();
    return sum;
  }
  double heavy() { return 0.02 / (uniform() + 0.01); }  // 2 % to 200 %

  machine of_;
  std::mt19937_64 random_;
  double level_ = 0;
};

struct tally {
  int slower = 0, faster = 0, no_difference = 0, cannot_tell = 0, beyond_gate = 0;
};

tally simulate(machine const& of, double slowdown, limits const& by, int runs) {
  rank_sums sums;
  tally made;
  for (int i = 0; i < runs; ++i) {
    judgement const found =
        simulation(of, static_cast<std::uint64_t>(i) + 1).run(slowdown, by, sums);
    made.slower += found.verdict == verdict::slower ? 1 : 0;
    made.faster += found.verdict == verdict::faster ? 1 : 0;
    made.no_difference += found.verdict == verdict::no_difference ? 1 : 0;
    made.cannot_tell += found.verdict == verdict::cannot_tell ? 1 : 0;
    made.beyond_gate += found.beyond_gate ? 1 : 0;
  }
  return made;
}

// A sanitizer takes ten times as long, and looks for other things.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int runs = 200;
#else
constexpr int runs = 2000;
#endif

TEST(ab_simulation, the_same_program_raises_no_alarm) {
  tally const quiet = simulate({}, 0, {}, runs);
  EXPECT_EQ(quiet.slower + quiet.faster, 0);
  EXPECT_GE(quiet.no_difference, runs * 95 / 100);
  machine const wild{.noise = 0.05, .wander = 0.04, .spikes = 0.15, .stolen = 0.2};
  tally const noisy = simulate(wild, 0, {}, runs);
  EXPECT_LE(noisy.slower + noisy.faster, std::max(1, runs / 1000));
}

// With a loose alpha the error is seen, and is what was promised at the most.
TEST(ab_simulation, the_share_of_alarms_is_at_most_alpha) {
  tally const found = simulate({}, 0, {.alpha = 0.1, .margin = 1e-9, .least_floor = 0}, runs);
  EXPECT_LE(found.slower + found.faster, runs / 10);
  EXPECT_GT(found.slower + found.faster, 0);
}

TEST(ab_simulation, five_percent_are_found) {
  tally const slower = simulate({}, 0.05, {}, runs);
  EXPECT_GE(slower.slower, runs * 99 / 100);
  EXPECT_EQ(slower.faster, 0);
  tally const faster = simulate({}, -0.05, {}, runs);
  EXPECT_GE(faster.faster, runs * 99 / 100);
  EXPECT_EQ(faster.slower, 0);
}

TEST(ab_simulation, ten_percent_trip_a_gate_of_five_and_five_do_not) {
  limits const gated{.gate = 0.05};
  EXPECT_GE(simulate({}, 0.10, gated, runs).beyond_gate, runs * 99 / 100);
  EXPECT_LE(simulate({}, 0.05, gated, runs / 4).beyond_gate, 1);
}

TEST(ab_simulation, a_slowdown_of_50_trips_the_gate_within_the_time) {
  rank_sums sums;
  pace const of{1e-6, 50e-6};
  auto const iterations = static_cast<double>(slice_iterations(of, std::chrono::milliseconds(20)));
  constexpr double time = 20;
  constexpr double start = 0.005;  // of a process
  double const slice = start + iterations * (2 * of.older_seconds + of.newer_seconds) / 3;
  judgement const found =
      simulation({}, 1).run(49, {.gate = 0.05}, sums, static_cast<int>(time / slice));
  EXPECT_EQ(found.verdict, verdict::slower);
  EXPECT_TRUE(found.beyond_gate);
}

TEST(ab_simulation, a_hopeless_machine_gives_no_verdict) {
  machine const hopeless{.noise = 0.4, .wander = 0.2, .spikes = 0.4};
  int const few = runs / 10;
  EXPECT_GE(simulate(hopeless, 0.05, {}, few).cannot_tell, few * 19 / 20);
}

// --- programs

TEST(ab_programs, a_pattern_names_one_benchmark) {
  EXPECT_EQ(pattern_for("Sort/n=1.5(a)"), R"(^Sort$/^n=1\.5\(a\)$)");
}

TEST(ab_programs, a_report_has_times_and_labels) {
  auto const read =
      read_report("goos: linux\nBenchmarkA-2 \t 10\t 2 ns/op\t 1 x\nPASS\nok  \tp\t1s\n");
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(read->labels, "goos: linux\n");
  ASSERT_EQ(read->results.size(), 1U);
  EXPECT_EQ(read->results[0].name, "A-2");
  EXPECT_DOUBLE_EQ(read->results[0].seconds_per_op, 2e-9);
  EXPECT_EQ(read_report("PASS\n").error().message(),
            "no benchmark ran: see its -list and your -bench");
  EXPECT_EQ(read_report("BenchmarkA 1 3 x\n").error().message(),
            "no benchmark reports a time (ns/op) above 0");
}

TEST(ab_programs, a_report_tells_the_number_of_processors_from_a_name_that_ends_so) {
  auto const read = read_report(
      "BenchmarkA\nBenchmarkA/size-8\nBenchmarkA/size-8 \t1\t2 ns/op\n"
      "BenchmarkB-8\nBenchmarkB-8-2 \t1\t2 ns/op\nBenchmarkC-2 \t1\t2 ns/op\n");
  ASSERT_TRUE(read) << read.error().message();
  ASSERT_EQ(read->results.size(), 3U);
  EXPECT_EQ(read->results[0].plain, "A/size-8");
  EXPECT_EQ(read->results[1].name, "B-8-2");
  EXPECT_EQ(read->results[1].plain, "B-8");
  EXPECT_EQ(read->results[2].plain, "C-2");  // not named before
  EXPECT_EQ(pattern_for(read->results[0]), "^A$/^size-8$");
  EXPECT_EQ(pattern_for(read->results[1]), "^B-8$");
  EXPECT_EQ(pattern_for(read->results[2]), "^C-2$|^C$");
}

TEST(ab_programs, a_report_has_the_failures_and_their_reasons) {
  auto const read = read_report(
      "BenchmarkA/b\n--- FAIL: BenchmarkA/b\n--- FAIL: BenchmarkA\n--- FAIL: BenchmarkC\nFAIL\n",
      "    BenchmarkA/b: lost 1 of 2\n        and more\n");
  ASSERT_TRUE(read) << read.error().message();
  ASSERT_EQ(read->failures.size(), 2U);
  EXPECT_EQ(read->failures[0].name, "A/b");
  EXPECT_EQ(read->failures[0].why, "it fails: lost 1 of 2");
  EXPECT_EQ(read->failures[1].name, "C");
  EXPECT_EQ(read->failures[1].why, "it fails");
}

TEST(ab_programs, a_report_has_those_without_a_time_and_those_that_skip) {
  auto const read = read_report(
      "BenchmarkA\nBenchmarkA-2 1 3 x\nBenchmarkB\n--- SKIP: BenchmarkB\nBenchmarkC-2 1 2 ns/op\n");
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_THAT(read->timeless, ElementsAre("A"));
  EXPECT_THAT(read->skipped, ElementsAre("B"));
  EXPECT_EQ(read->results.size(), 1U);
  EXPECT_TRUE(names(read->skipped, "B/part"));
  EXPECT_FALSE(names(read->skipped, "Bu"));
  EXPECT_TRUE(read_report("BenchmarkB\n--- SKIP: BenchmarkB\nPASS\n"));
}

TEST(ab_profile, what_grew_comes_first) {
  auto const list =
      grown({{"a", 1}, {"b", 2}, {"gone", 3}}, 10, {{"a", 6}, {"b", 3}, {"new", 8}}, 20);
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list[0].function, "new");
  EXPECT_EQ(list[1].function, "a");
  EXPECT_DOUBLE_EQ(list[1].older, 0.1);
  EXPECT_DOUBLE_EQ(list[1].newer, 0.3);
}

TEST(ab_profile, a_file_that_is_no_profile_says_so) {
  auto const made = read_profile("/proc/self/comm");
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().message(), HasSubstr("not a profile"));
}

TEST(ab_options, a_wrong_command_line_says_what_is_wanted) {
  auto const complaint = [](std::vector<std::string> const& words) {
    auto const parsed = parse_options(words);
    auto const* end = std::get_if<usage_end>(&parsed);
    return end == nullptr ? std::string() : end->text;
  };
  EXPECT_THAT(complaint({"old"}), HasSubstr("want two programs, OLD and NEW, got 1"));
  EXPECT_THAT(complaint({"a", "b", "-gate", "5"}), HasSubstr("want a percentage, such as 5%"));
  EXPECT_THAT(complaint({"a", "b", "-time", "5"}), HasSubstr("want a duration above 0"));
  EXPECT_THAT(complaint({"a", "b", "-build", "make"}),
              HasSubstr("-build and -program go together"));
  EXPECT_THAT(complaint({"a", "b", "-disturbed=maybe"}), HasSubstr("want discard or keep"));
  EXPECT_EQ(complaint({"a", "-gate=5%", "b", "--", "-cpu", "1"}), "");
  EXPECT_THAT(complaint({"a", "b", "--", "-benchmem", "-test.cpu=1,2"}),
              HasSubstr("-cpu with one number, please"));
  for (std::string flag : {"-json", "-list=.", "-callgrind", "-help", "-count=0"}) {
    EXPECT_THAT(complaint({"a", "b", "--", flag}), HasSubstr("does not go with ab"));
  }
}

TEST(ab_options, disturbed_slices_are_discarded_unless_asked_for) {
  auto const keeps = [](std::vector<std::string> words) {
    words.insert(words.end(), {"a", "b"});
    auto const parsed = parse_options(words);
    return std::get<options>(parsed).keeps_disturbed;
  };
  EXPECT_FALSE(keeps({}));
  EXPECT_FALSE(keeps({"-disturbed", "discard"}));
  EXPECT_TRUE(keeps({"-disturbed", "keep"}));
}

// In a process of its own, where the interruption stays.
TEST(ab_slice, an_interruption_before_the_wait_ends_it_but_no_clean_up) {
  auto const interrupted_first = [] {
    listen_for_interrupts();
    std::raise(SIGINT);
    auto const done = meter().run({.path = "/bin/sleep", .words = {"sleep", "600"}});
    if (done || done.error().message() != "/bin/sleep: interrupted") std::exit(1);
    auto const clean_up =
        meter().run({.path = "/bin/sh", .words = {"sh", "-c", "exit 7"}, .cleans_up = true});
    std::exit(clean_up && clean_up->status == 7 ? 0 : 2);
  };
  EXPECT_EXIT(interrupted_first(), testing::ExitedWithCode(0), "");
}

TEST(ab, a_program_that_is_none_ends_with_2) {
  EXPECT_EQ(run({"/nowhere/old", "/nowhere/new"}), 2);
}

}  // namespace
}  // namespace vole::ab
