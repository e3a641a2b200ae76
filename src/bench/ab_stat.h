// SPDX-License-Identifier: Apache-2.0
#pragma once
// The statistics of an A/B comparison: what paired differences say, and when one may stop looking.
// Differences are of logarithms, so that 0.01 is 1 %. No shared state.
//
// See docs/design/0007-comparing.md for what was tried besides.

#include <map>
#include <span>
#include <string_view>
#include <vector>

namespace vole::ab {

// rank_sums is the distribution of Wilcoxon's signed-rank sum: of the ranks 1 .. n each belongs to
// a positive difference or not, with equal chances. Keeps what it has computed.
class rank_sums {
 public:
  // probability that the sum is at most this.
  double at_most(int n, int sum);

 private:
  std::map<int, std::vector<double>> cumulative_;  // by n
};

// estimate is where the differences lie: the Hodges-Lehmann center, an interval that misses it with
// the probability alpha, and the p value of "they lie around 0".
struct estimate {
  double center = 0;
  double low = 0;
  double high = 0;
  double p = 1;
};
// locate assumes nothing of the differences but that they are as likely above their center as below
// it, in the same distances; which holds when each pair was measured in random order.
estimate locate(std::span<double const> differences, double alpha, rank_sums& sums);

// least_differences is how many are needed before any of them can be significant at alpha.
int least_differences(double alpha, rank_sums& sums);

// spent_alpha is the share of alpha for look 1, 2, ...; all of them together are alpha.
double spent_alpha(double alpha, int look);

// holm adjusts the p values of several tests so that one alarm among them all is as unlikely as one
// alone would be.
std::vector<double> holm(std::span<double const> p_values);

enum class verdict : unsigned char { slower, faster, no_difference, cannot_tell };
std::string_view to_text(verdict v);

struct limits {
  double alpha = 0.001;
  double margin = 0.03;        // a difference below it is none
  double least_floor = 0.005;  // what identical programs may differ in by where they lie in memory
  double gate = 0;             // 0: none. Else a slowdown beyond it fails
};

// judgement is what is known after a look. The interval is widened on both sides by the floor.
struct judgement {
  ab::verdict verdict = ab::verdict::cannot_tell;
  double change = 0;
  double low = 0;
  double high = 0;
  double floor = 0;
  double p = 1;              // over all looks so far
  bool beyond_gate = false;  // proven
  bool decided = false;      // more measurements are not needed
};

// judge looks at the differences new - old, and at old - old, the A/A arm, which shows what this
// machine makes of no difference at all. before is the p of the look before.
judgement judge(std::span<double const> differences, std::span<double const> nulls,
                limits const& by, int look, double p_before, rank_sums& sums);

}  // namespace vole::ab
