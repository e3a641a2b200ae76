// SPDX-License-Identifier: Apache-2.0
// What tests/benchstat does not see: the parts by themselves.
#include "bench/stat.h"

#include <cmath>
#include <cstdint>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "bench/stat_filter.h"
#include "bench/stat_layout.h"
#include "bench/stat_math.h"
#include "bench/stat_projection.h"

namespace vole::benchstat {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

std::vector<double> run_of(double from, int n) {
  std::vector<double> values;
  for (int i = 0; i < n; ++i) values.push_back(from + i);
  return values;
}

TEST(benchstat_math, the_least_p_is_that_of_parted_samples) {
  auto const p = [](int n) { return *u_test(run_of(0, n), run_of(100, n)); };
  EXPECT_DOUBLE_EQ(p(3), 0.1);
  EXPECT_DOUBLE_EQ(p(6), 2.0 / 924);
  EXPECT_NEAR(p(20), 2 / 137846528820.0, 1e-20);
  // From 51 on by the normal distribution: z = (51^2/2 - 0.5) / sqrt(51^2 103/12).
  EXPECT_NEAR(p(51), 2 * std::erfc(8.70049 / std::sqrt(2)) / 2, 1e-20);
}

// All ways to take n1 of the values, counted one by one.
double counted_p(std::vector<double> const& a, std::vector<double> const& b) {
  std::vector<double> all = a;
  all.insert(all.end(), b.begin(), b.end());
  auto const u_of = [&](std::uint32_t taken) {
    double u = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
      for (std::size_t j = 0; j < all.size(); ++j) {
        if ((taken >> i & 1) == 0 || (taken >> j & 1) == 1) continue;
        u += all[i] > all[j] ? 1 : all[i] == all[j] ? 0.5 : 0;
      }
    }
    return u;
  };
  double const pairs = static_cast<double>(a.size() * b.size());
  double const u1 = u_of((1U << a.size()) - 1);
  double const u = std::min(u1, pairs - u1);
  double below = 0;
  double ways = 0;
  for (std::uint32_t taken = 0; taken < 1U << all.size(); ++taken) {
    if (static_cast<std::size_t>(__builtin_popcount(taken)) != a.size()) continue;
    ++ways;
    below += u_of(taken) <= u ? 1 : 0;
  }
  return u1 == pairs - u1 ? 1 : 2 * below / ways;
}

TEST(benchstat_math, p_is_exact_with_and_without_ties) {
  std::vector<double> const a = {1, 4, 6, 9};
  for (auto const& b : {std::vector<double>{2, 3, 5, 7, 8},
                        {1, 1, 4, 6},
                        {6, 9, 9, 9, 9},
                        {10, 11},
                        {0.5, 4, 20}}) {
    EXPECT_NEAR(*u_test(a, b), counted_p(a, b), 1e-12) << b.size();
  }
  EXPECT_FALSE(u_test(run_of(1, 1), run_of(1, 1)).has_value());
}

TEST(benchstat_math, intervals_are_order_statistics) {
  auto const text = [](int n, double confidence) {
    auto const [low, high] = median_interval(n, confidence);
    return std::to_string(low) + ' ' + std::to_string(high);
  };
  EXPECT_EQ(text(5, 0.95), "0 5");
  EXPECT_EQ(text(6, 0.95), "1 6");
  EXPECT_EQ(text(10, 0.95), "2 9");
  EXPECT_EQ(text(20, 0.95), "6 15");
  EXPECT_EQ(text(40, 0.95), "14 27");
  EXPECT_EQ(text(9, 1), "0 10");
}

TEST(benchstat_math, logarithm_and_exponential_are_close_to_libc_s) {
  for (double x = 1e-300; x < 1e300; x *= 7.3) {
    EXPECT_NEAR(go_log(x), std::log(x), std::abs(std::log(x)) * 3e-16 + 1e-16) << x;
    EXPECT_NEAR(go_exp(std::log(x)) / std::exp(std::log(x)), 1, 1e-15) << x;
  }
  EXPECT_TRUE(std::isnan(geometric_mean({})));
  EXPECT_DOUBLE_EQ(geometric_mean(std::vector<double>{2, 8}), 4);
}

std::string filter_error(std::string_view expression) {
  auto const parsed = filter::parse(expression);
  auto const* wrong = std::get_if<expression_error>(&parsed);
  return wrong == nullptr ? std::string() : wrong->text();
}

TEST(benchstat_filter, an_error_points_to_its_place) {
  EXPECT_EQ(filter_error("a:b .config:c"),
            "syntax error: .config is only allowed in projections\n\ta:b .config:c\n\t    ^");
  EXPECT_EQ(filter_error("ä:b )"), "syntax error: unexpected \")\"\n\tä:b )\n\t    ^");
  EXPECT_THAT(filter_error("a:/(x/"), HasSubstr("missing close \"/\""));
  EXPECT_EQ(filter_error("a:/x/ OR -(b:c AND *)"), "");
}

TEST(benchstat_filter, units_are_taken_one_by_one) {
  auto which = std::get<filter>(filter::parse(".unit:ns/op OR .unit:/^B/"));
  benchfmt::result r;
  r.values = {{1, "sec/op", "ns/op"}, {2, "allocs/op", ""}, {3, "B/op", ""}};
  EXPECT_TRUE(which.apply(r));
  ASSERT_EQ(r.values.size(), 2U);
  EXPECT_EQ(r.values[1].unit, "B/op");
  EXPECT_FALSE(std::get<filter>(filter::parse(".unit:x")).apply(r));
}

TEST(benchstat_projection, numbers_are_ordered_with_their_prefixes) {
  projection_set set;
  auto all = std::get<filter>(filter::parse("*"));
  auto parsed = set.parse("/n@num", all, false);
  auto& by = *std::get<0>(parsed);
  std::vector<key> keys;
  for (auto const* name : {"A/n=1MiB", "A/n=x", "A/n=2k", "A/n=1M", "A/n=0.5", "A/n=a", "A"}) {
    benchfmt::result r;
    r.name = name;
    keys.push_back(by.project(r));
  }
  by.sort(keys);
  std::string order;
  for (key const k : keys) order += k->text() + ',';
  EXPECT_EQ(order, "0.5,2k,1M,1MiB,,a,x,");
}

TEST(benchstat_layout, a_wide_span_widens_only_columns_that_may_grow) {
  layout l;
  l.row();
  l.column(1);
  l.span(2, "wide header", {align::center, " | "});
  l.row();
  l.cell("a");
  l.cell("1", {align::right});
  l.cell("x");
  l.keep_narrow(2);
  EXPECT_EQ(l.text(), "  | wide header\na           1 x\n");
}

TEST(benchstat, wrong_flags_say_which_and_end_with_2) {
  EXPECT_THAT(run({"-nope", "x"}).errors, StartsWith("flag provided but not defined: -nope\n"));
  EXPECT_THAT(run({"-alpha", "much", "x"}).errors,
              StartsWith("invalid value \"much\" for flag -alpha: parse error\n"));
  EXPECT_THAT(run({"-row"}).errors, StartsWith("flag needs an argument: -row\n"));
  EXPECT_EQ(run({"-nope", "x"}).status, 2);
  EXPECT_EQ(run({}).status, 2);
  EXPECT_EQ(run({"-h"}).status, 0);
}

}  // namespace
}  // namespace vole::benchstat
