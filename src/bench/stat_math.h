// SPDX-License-Identifier: Apache-2.0
#pragma once
// benchstat's statistics: medians with intervals of order statistics, the Mann-Whitney U test,
// geometric means. No shared state.
//
// benchstat prints some of these with all their digits, so the last bit counts: sums run in its
// order, and logarithm and exponential are those of Go's package math on amd64.

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace vole::benchstat {

// What is assumed of repeated measurements: nothing, or that they give the same value each time.
enum class assumption { nothing, exact };

struct summary {
  double center = 0;
  double low = 0;
  double high = 0;
  std::vector<std::string> warnings = {};

  // range is how far the interval reaches from its center: "3%", "∞", "?".
  std::string range() const;
};

struct comparison {
  double p = 0;
  int n1 = 0;
  int n2 = 0;
  double alpha = 0;
  std::vector<std::string> warnings = {};

  std::string text() const;                             // "p=0.002 n=6"
  std::string delta(double older, double newer) const;  // "+3.21%", "~"
};

// ascending is the order in which values are sorted: NaN before all numbers.
bool ascending(double a, double b);

// values are sorted, and not empty.
summary summarize(std::span<double const> values, assumption what, double confidence);
comparison compare(std::span<double const> older, std::span<double const> newer, assumption what,
                   double alpha);

// order_interval is the ranks, from 1, between which the median lies with this confidence; 0 and
// n + 1 stand for the infinities.
struct order_interval {
  int low;
  int high;
};
order_interval median_interval(int n, double confidence);

// u_test is the two-sided p value; nothing when all values are equal.
std::optional<double> u_test(std::span<double const> a, std::span<double const> b);

// geometric_mean is NaN unless there are values and all are above 0.
double geometric_mean(std::span<double const> values);

// The functions of Go's package math, to the last bit.
double go_log(double x);
double go_exp(double x);

}  // namespace vole::benchstat
