// SPDX-License-Identifier: Apache-2.0
// No shared state.
#include "bench/ab_stat.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>

namespace vole::ab {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

int sums_of(int n) {
  return n * (n + 1) / 2;
}

// The means of all pairs of differences, each with itself too: their median is the center, and as
// many of them are positive as the positive ranks add up to.
std::vector<double> pair_means(std::span<double const> differences) {
  std::vector<double> means;
  for (std::size_t i = 0; i < differences.size(); ++i) {
    for (std::size_t j = i; j < differences.size(); ++j) {
      means.push_back((differences[i] + differences[j]) / 2);
    }
  }
  std::ranges::sort(means);
  return means;
}

double median_of(std::vector<double> const& sorted) {
  std::size_t const middle = sorted.size() / 2;
  if (sorted.size() % 2 == 1) return sorted[middle];
  return (sorted[middle - 1] + sorted[middle]) / 2;
}

}  // namespace

double rank_sums::at_most(int n, int sum) {
  if (sum < 0) return 0;
  if (sum >= sums_of(n)) return 1;
  std::vector<double>& table = cumulative_[n];
  if (table.empty()) {
    table.assign(static_cast<std::size_t>(sums_of(n)) + 1, 0);
    table[0] = 1;
    for (int rank = 1; rank <= n; ++rank) {
      for (int s = sums_of(rank); s >= 0; --s) {
        auto const at = static_cast<std::size_t>(s);
        double const with = s >= rank ? table[at - static_cast<std::size_t>(rank)] : 0;
        table[at] = (table[at] + with) / 2;
      }
    }
    std::partial_sum(table.begin(), table.end(), table.begin());
  }
  return table[static_cast<std::size_t>(sum)];
}

estimate locate(std::span<double const> differences, double alpha, rank_sums& sums) {
  if (differences.empty()) return {0, -infinity, infinity, 1};
  int const n = static_cast<int>(differences.size());
  std::vector<double> const means = pair_means(differences);
  estimate made{median_of(means), -infinity, infinity, 1};

  // As many of the least and of the greatest means as chance may put there are left out.
  int out = 0;
  while (2 * sums.at_most(n, out) <= alpha) ++out;
  if (out > 0) {
    made.low = means[static_cast<std::size_t>(out - 1)];
    made.high = means[means.size() - static_cast<std::size_t>(out)];
  }
  // Means of 0 speak against a difference in either direction.
  auto const [first_zero, first_positive] = std::ranges::equal_range(means, 0.0);
  auto const against = std::min(means.end() - first_zero, first_positive - means.begin());
  made.p = std::min(1.0, 2 * sums.at_most(n, static_cast<int>(against)));
  return made;
}

int least_differences(double alpha, rank_sums& sums) {
  int n = 1;
  while (2 * sums.at_most(n, 0) > alpha) ++n;
  return n;
}

double spent_alpha(double alpha, int look) {
  return alpha / (static_cast<double>(look) * (look + 1));
}

std::vector<double> holm(std::span<double const> p_values) {
  std::vector<std::size_t> order(p_values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return p_values[i]; });
  std::vector<double> adjusted(p_values.size());
  double least = 0;
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    double const times = static_cast<double>(order.size() - rank);
    least = std::max(least, std::min(1.0, times * p_values[order[rank]]));
    adjusted[order[rank]] = least;
  }
  return adjusted;
}

std::string_view to_text(verdict v) {
  switch (v) {
    case verdict::slower:
      return "slower";
    case verdict::faster:
      return "faster";
    case verdict::no_difference:
      return "no difference";
    case verdict::cannot_tell:
      break;
  }
  return "cannot tell";
}

judgement judge(std::span<double const> differences, std::span<double const> nulls,
                limits const& by, int look, double p_before, rank_sums& sums) {
  double const alpha = spent_alpha(by.alpha, look);
  estimate const effect = locate(differences, alpha, sums);
  estimate const null = locate(nulls, alpha, sums);
  judgement made;
  made.floor = std::max(by.least_floor, std::abs(null.center));
  // Where the machine tells a program from itself, all of that may be in the effect, too.
  if (null.low > 0 || null.high < 0) {
    made.floor = std::max({made.floor, std::abs(null.low), std::abs(null.high)});
  }
  made.change = effect.center;
  made.low = effect.low - made.floor;
  made.high = effect.high + made.floor;
  made.p = std::min({1.0, p_before, effect.p * by.alpha / alpha});
  if (made.low > 0) {
    made.verdict = verdict::slower;
  } else if (made.high < 0) {
    made.verdict = verdict::faster;
  } else if (made.low > -by.margin && made.high < by.margin) {
    made.verdict = verdict::no_difference;
  }
  double const gate = std::log1p(by.gate);
  made.beyond_gate = by.gate > 0 && made.low > gate;
  bool const gate_decided = by.gate == 0 || made.beyond_gate || made.high < gate;
  made.decided = made.verdict != verdict::cannot_tell && gate_decided;
  return made;
}

}  // namespace vole::ab
