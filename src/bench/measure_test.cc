// SPDX-License-Identifier: Apache-2.0
// The parts of the harness by themselves: histogram, fits, plausibility, counters, estimates.

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/perf_event.h>
#include <sys/mman.h>
#include <thread>
#include <vector>

#include "bench/counters.h"
#include "bench/growth.h"
#include "bench/latency.h"
#include "bench/progress.h"
#include "bench/sanity.h"
#include "bench/state.h"

namespace vole::bench {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::StartsWith;

TEST(bench_latency, percentiles_are_right_to_three_percent_and_max_exactly) {
  latency_histogram h;
  EXPECT_EQ(h.percentile(50), 0);
  for (std::int64_t ns = 1; ns <= 100'000; ++ns) h.add(ns);
  EXPECT_EQ(h.count(), 100'000U);
  EXPECT_EQ(h.max(), 100'000);
  for (double const p : {1.0, 50.0, 90.0, 99.0}) {
    EXPECT_NEAR(h.percentile(p), p * 1'000, p * 1'000 * 0.032) << p;
  }
  EXPECT_LE(h.percentile(100), 100'000);
}

TEST(bench_latency, small_ones_are_exact_and_odd_ones_are_taken) {
  latency_histogram h;
  h.add(-5);
  EXPECT_EQ(h.percentile(100), 0);
  h.add(31);
  EXPECT_EQ(h.percentile(100), 31);
  h.add(std::int64_t{1} << 62);
  EXPECT_EQ(h.max(), std::int64_t{1} << 62);
  EXPECT_EQ(h.count(), 3U);
}

TEST(bench_latency, many_may_add_at_the_same_time) {
  latency_histogram h;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&h, t] {
      for (int i = 0; i < 10'000; ++i) h.add(i * 4 + t);
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(h.count(), 40'000U);
  EXPECT_EQ(h.max(), 39'999);
}

std::vector<point> points_of(double (*ns)(double)) {
  std::vector<point> points;
  for (double n = 8; n <= 8192; n *= 4) points.push_back({n, ns(n)});
  return points;
}

TEST(bench_growth, each_form_is_recognised_with_its_factor) {
  struct example {
    char const* form;
    double (*ns)(double);
  };
  for (example const& e : {example{"O(1)", [](double) { return 5.0; }},
                           example{"O(log n)", [](double n) { return 5 * std::log2(n); }},
                           example{"O(n)", [](double n) { return 5 * n; }},
                           example{"O(n log n)", [](double n) { return 5 * n * std::log2(n); }},
                           example{"O(n^2)", [](double n) { return 5 * n * n; }}}) {
    fit const best = fits(points_of(e.ns)).front();
    EXPECT_EQ(best.form, e.form);
    EXPECT_NEAR(best.factor, 5, 1e-9);
    EXPECT_NEAR(best.rms, 0, 1e-9);
  }
}

TEST(bench_growth, noise_of_a_tenth_does_not_hide_the_form) {
  std::vector<point> points = points_of([](double n) { return 3 * n; });
  for (std::size_t i = 0; i < points.size(); ++i) points[i].ns *= i % 2 == 0 ? 1.1 : 0.9;
  EXPECT_EQ(fits(points).front().form, "O(n)");
  EXPECT_NEAR(fits(points).front().rms, 0.1, 0.01);
}

TEST(bench_growth, says_when_two_forms_or_none_fit) {
  EXPECT_THAT(growth_text({{100, 300}, {101, 303}, {102, 306}}),
              testing::AllOf(StartsWith("grows as O(n): 3 ns * n, rms 0 %")));
  EXPECT_THAT(growth_text({{1, 1}, {10, 1e6}, {100, 2}}), HasSubstr("none fits well"));
  EXPECT_EQ(growth_text({{1, 1}, {2, 2}}), "");
  EXPECT_EQ(growth_text({{1, 1}, {1, 2}, {1, 3}}), "");
}

TEST(bench_growth, names_carry_n) {
  EXPECT_EQ(n_of("BenchmarkSort/n=1024/seed=1"), 1024);
  EXPECT_EQ(family_of("BenchmarkSort/n=1024/seed=1"), "BenchmarkSort/n=*/seed=1");
  EXPECT_EQ(n_of("BenchmarkSort/n=1e6"), 1e6);
  EXPECT_FALSE(n_of("BenchmarkSort/n=many"));
  EXPECT_FALSE(n_of("BenchmarkSort/size=3"));
}

TEST(bench_growth, scaling_is_the_exponent_of_throughput) {
  EXPECT_NEAR(*scaling_exponent({{1, 80}, {2, 40}, {4, 20}}), 1, 1e-9);
  EXPECT_NEAR(*scaling_exponent({{1, 80}, {2, 80}, {4, 80}}), 0, 1e-9);
  EXPECT_NEAR(*scaling_exponent({{1, 10}, {2, 20}}), -1, 1e-9);
  EXPECT_FALSE(scaling_exponent({{2, 10}, {2, 20}}));
  EXPECT_EQ(scaling_text({{1, 80}, {2, 40}}),
            "throughput grows as procs^1.00 (1: 80 ns/op, 2: 40 ns/op)");
}

TEST(bench_growth, repetitions_count_as_their_median) {
  EXPECT_EQ(scaling_text({{1, 80}, {1, 100}, {1, 90}, {2, 40}, {2, 900}, {2, 50}}),
            "throughput grows as procs^0.85 (1: 90 ns/op, 2: 50 ns/op)");
  EXPECT_EQ(growth_text({{1, 2}, {2, 4}, {2, 400}, {2, 3.9}, {4, 8}}, "instructions"),
            "grows as O(n): 2 instructions * n, rms 0 %");
}

TEST(bench_sanity, a_figure_below_a_cycle_or_too_near_the_clock_is_doubted) {
  EXPECT_GT(clock_cost_ns(), 0);
  EXPECT_GT(cycle_ns(), 0);
  EXPECT_GT(empty_turn_ns(), 0);
  EXPECT_EQ(doubt({.n = 1'000'000, .time = 1s}), "");
  EXPECT_THAT(doubt({.n = 1'000'000'000, .time = 1ms}), StartsWith("body removed"));
  EXPECT_EQ(doubt({.n = 100, .time = 1ms}), "");
  auto const a_million = [](double ns) { return std::chrono::nanoseconds(std::llround(ns * 1e6)); };
  double const empty = empty_turn_ns();
  EXPECT_THAT(doubt({.n = 1'000'000, .time = a_million(empty), .used_loop = true}),
              HasSubstr("more than an empty turn"));
  EXPECT_EQ(doubt({.n = 1'000'000, .time = a_million(empty + 2 * cycle_ns()), .used_loop = true}),
            "");
  EXPECT_THAT(doubt({.n = 100, .time = 10ns}), StartsWith("too short to measure: 100 iterations"));
  EXPECT_THAT(doubt({.n = 1'000'000, .time = 20ms, .stretches = 1'000'000}),
              HasSubstr("the timer ran for 20 ns at a time"));
}

TEST(bench_patience, hidden_time_bounds_the_iterations) {
  EXPECT_EQ(patient_n(1s, 0), iterations_max);
  EXPECT_EQ(patient_n(1s, 1e9), 3);
  EXPECT_EQ(patient_n(1s, 1e12), 1);
}

TEST(bench_counters, a_perf_event_counts_in_threads_that_start_later) {
  perf_counter clock;
  int const code = clock.open(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS, false);
  if (code != 0) GTEST_SKIP() << "perf_event_open gives errno " << code;
  std::uint64_t const before = clock.read().value;
  std::thread([] {
    constexpr std::size_t bytes = 1 << 24;
    void* const pages =
        mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(pages, MAP_FAILED);
    madvise(pages, bytes, MADV_NOHUGEPAGE);  // where there are none, it fails
    for (std::size_t at = 0; at < bytes; at += 4096) static_cast<char volatile*>(pages)[at] = 1;
    munmap(pages, bytes);
  }).join();
  EXPECT_GT(clock.read().value, before + 1'000);
}

TEST(bench_counters, what_is_missing_is_said_with_a_reason) {
  counters all;
  all.open();
  for (auto const which : {counters::instructions, counters::syscalls}) {
    std::string const unit(counters::unit_of(which));
    EXPECT_EQ(all.available(which), all.complaint().find(unit) == std::string::npos);
  }
  EXPECT_TRUE(all.available(counters::page_faults));
}

TEST(bench_counters, what_ran_for_part_of_the_time_is_reckoned_up) {
  EXPECT_EQ(counted_between({100, 0, 0}, {400, 0, 0}), 300);  // of getrusage, which has no times
  EXPECT_EQ(counted_between({100, 50, 50}, {400, 90, 90}), 300);
  EXPECT_EQ(counted_between({100, 50, 50}, {400, 90, 60}), 1200);
  EXPECT_TRUE(std::isnan(counted_between({100, 50, 50}, {100, 90, 50})));
}

TEST(bench_counters, what_the_harness_does_is_left_out) {
  counters all;
  int stretch = 0;
  all.calibrate([&] {
    counters::values counted{};
    counted[counters::syscalls] = stretch++ == 3 ? 5 : 9;  // something else disturbed the others
    return counted;
  });
  counters::readings const from{};
  counters::readings to{};
  to[counters::syscalls].value = 12;
  EXPECT_EQ(all.between(from, to)[counters::syscalls], 7);
  to[counters::syscalls].value = 4;
  EXPECT_EQ(all.between(from, to)[counters::syscalls], 0);
}

TEST(bench_progress, the_estimate_follows_what_is_done) {
  workload const idle{.parts = 4, .gone = 12s};
  EXPECT_EQ(estimate_text(idle), "12s gone");
  workload work = idle;
  work.parts_done = work.rounds_done = work.rounds_in_done = 1;
  EXPECT_EQ(estimate_text(work), "12s gone, about 36s to go");
  work.parts_done = 4;
  EXPECT_EQ(estimate_text(work), "12s gone");
}

TEST(bench_progress, the_rounds_of_one_benchmark_have_an_estimate) {
  workload work{.parts = 1, .rounds = 10, .round_time = 2s, .gone = 1s, .gone_in_round = 1s};
  EXPECT_EQ(estimate_text(work), "1s gone, about 19s to go");
  work.rounds_done = 4;
  work.round = 5;
  work.gone = 13s;
  EXPECT_EQ(estimate_text(work), "13s gone, about 17s to go");
  // The part that is done had three sub-benchmarks of two rounds each.
  workload const subs{
      .parts = 3, .rounds = 2, .parts_done = 1, .rounds_done = 6, .rounds_in_done = 6, .gone = 6s};
  EXPECT_EQ(estimate_text(subs), "6s gone, about 8s to go");
}

TEST(bench_progress, the_line_fits_the_terminal) {
  EXPECT_EQ(fitted("[1/2] ", "BenchmarkLong", "  3s gone", 0), "[1/2] BenchmarkLong  3s gone");
  EXPECT_EQ(fitted("[1/2] ", "BenchmarkLong", "  3s gone", 28), "[1/2] BenchmarkLong  3s gone");
  EXPECT_EQ(fitted("[1/2] ", "BenchmarkLong", "  3s gone", 27), "[1/2] Benchmark...  3s gone");
  EXPECT_EQ(fitted("[1/2] ", "BenchmarkLong", "  3s gone", 10), "[1/2] ... ");
  EXPECT_EQ(fitted("", "\u00e9\u00e9\u00e9\u00e9\u00e9", "", 4), "\u00e9...");
}

}  // namespace
}  // namespace vole::bench
