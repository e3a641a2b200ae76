// SPDX-License-Identifier: Apache-2.0
// No shared state.
#include "bench/stat_math.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numbers>

#include "vole/internal/format.h"

#include "bench/benchfmt_text.h"

namespace vole::benchstat {
namespace {

using benchfmt::fixed;
using benchfmt::shortest;

constexpr double infinity = std::numeric_limits<double>::infinity();

// ln(n!) as Go's math.Lgamma gives it. libc's differs in the last bit here and there, and a
// binomial probability that should equal its mirror image then chooses the other neighbour.
constexpr std::array<double, 51> log_factorials = {0x0p0,
                                                   0x0p0,
                                                   0x1.62e42fefa39efp-1,
                                                   0x1.cab0bfa2a2002p0,
                                                   0x1.96ca77c922cf9p1,
                                                   0x1.326643c4479c9p2,
                                                   0x1.a51273acf01cap2,
                                                   0x1.10ce1f32dcc2fp3,
                                                   0x1.5358e82fcb70dp3,
                                                   0x1.99a8921a7f7dp3,
                                                   0x1.e357590954d16p3,
                                                   0x1.180973f3a8d74p4,
                                                   0x1.3fcba16d50144p4,
                                                   0x1.68d5a9c3b32cfp4,
                                                   0x1.930f3df162a42p4,
                                                   0x1.be636a63fd346p4,
                                                   0x1.eabff061f1a85p4,
                                                   0x1.0c0a63f2f353ap5,
                                                   0x1.2329df2d5ee52p5,
                                                   0x1.3ab8153363985p5,
                                                   0x1.52af57aed77bep5,
                                                   0x1.6b0a8643472aap5,
                                                   0x1.83c4faba84f06p5,
                                                   0x1.9cda78b856a45p5,
                                                   0x1.b6472034e8d13p5,
                                                   0x1.d007622cd65e8p5,
                                                   0x1.ea17f717c6794p5,
                                                   0x1.023aeb67e4feep6,
                                                   0x1.0f8f18d33024p6,
                                                   0x1.1d07353917231p6,
                                                   0x1.2aa208b59d0e6p6,
                                                   0x1.385e6fd9e5a4p6,
                                                   0x1.463b59b942083p6,
                                                   0x1.5437c633ace4bp6,
                                                   0x1.6252c474896b9p6,
                                                   0x1.708b719e11658p6,
                                                   0x1.7ee0f79b26758p6,
                                                   0x1.8d528c1243d96p6,
                                                   0x1.9bdf6f75257a2p6,
                                                   0x1.aa86ec2969812p6,
                                                   0x1.b94855c702ba3p6,
                                                   0x1.c8230869ca105p6,
                                                   0x1.d7166813e12eep6,
                                                   0x1.e621e01eeba4ep6,
                                                   0x1.f544e2ba69cfp6,
                                                   0x1.023f743addd9fp7,
                                                   0x1.09e7b7ea41ea8p7,
                                                   0x1.119afe762626bp7,
                                                   0x1.19590c853a559p7,
                                                   0x1.2121a930c6ec2p7,
                                                   0x1.28f49ddeb1f31p7};
constexpr int small_factorial_max = 20;  // 20! is below 2^63

// choose is the number of ways to take k of n, n <= 50.
double choose(int n, int k) {
  if (k < 0 || k > n) return 0;
  if (k == 0 || k == n) return 1;
  if (n <= small_factorial_max) {
    std::int64_t ways = 1;
    for (int i = 1; i <= k; ++i) ways = ways * (n - k + i) / i;
    return static_cast<double>(ways);
  }
  auto const log = [](int i) { return log_factorials[static_cast<std::size_t>(i)]; };
  return go_exp(log(n) - log(k) - log(n - k));
}

double normal_cdf(double z) {
  return std::erfc(-z / std::numbers::sqrt2) / 2;
}

// normal_quantile is the z with normal_cdf(z) = p, by bisection.
double normal_quantile(double p) {
  double low = -40;
  double high = 40;
  while (true) {
    double const middle = (low + high) / 2;
    double const at = normal_cdf(middle);
    if (at == p || middle == low || middle == high) return middle;
    (at < p ? low : high) = middle;
  }
}

// The probability that k of n values lie below the median.
double below_median(int n, int k) {
  if (k < 0 || k > n) return 0;
  return choose(n, k) * std::ldexp(1.0, -k) * std::ldexp(1.0, k - n);
}

// Up to this size the interval is found by summing the binomial distribution, beyond it by the
// normal one.
constexpr int exact_interval_max = 30;

order_interval exact_interval(int n, double confidence) {
  // From the most probable rank outwards; of two equal neighbours the left one.
  int low = (n + 2) / 2 - 1;
  int high = low + 1;
  double sum = below_median(n, low);
  double left = below_median(n, low - 1);
  double right = below_median(n, high);
  while (sum < confidence && (left > 0 || right > 0)) {
    if (left >= right) {
      sum += left;
      left = below_median(n, --low - 1);
    } else {
      sum += right;
      right = below_median(n, ++high);
    }
  }
  return {low, high};
}

order_interval normal_interval(int n, double confidence) {
  double const mean = n * 0.5;
  double const deviation = std::sqrt(n * 0.5 * 0.5);
  double const left = normal_quantile((1 - confidence) / 2) * deviation + mean;
  double const right = 2 * mean - left;
  // Rank k stands for [k - 0.5, k + 0.5].
  int const low = static_cast<int>(std::floor(std::floor(left - 0.5) + 0.5)) + 1;
  int const high = static_cast<int>(std::floor(std::ceil(right - 0.5) + 0.5)) + 1;
  auto const probability = [&](int from, int to) {
    return normal_cdf((to - 0.5 - mean) / deviation) - normal_cdf((from - 0.5 - mean) / deviation);
  };
  double const narrower = probability(low, high - 1);
  bool const suffices = narrower >= confidence && narrower < probability(low, high);
  return {low, suffices ? high - 1 : high};
}

// How many samples an interval of this confidence needs; the table of what benchstat looks at ends
// at 50.
std::string samples_for_interval(double confidence) {
  constexpr int limit = 50;
  for (int n = 2; n <= limit; ++n) {
    auto const [low, high] = median_interval(n, confidence);
    if (low > 0 && high <= n) return fmt::format(">= {}", n);
  }
  return fmt::format("> {}", limit);
}

// The least p that the U test gives for two samples of n.
constexpr std::array<double, 10> least_p = {infinity,
                                            1,
                                            0.3333333333333333,
                                            0.1,
                                            0.02857142857142857,
                                            0.007936507936507936,
                                            0.0021645021645021645,
                                            0.0005827505827505828,
                                            0.0001554001554001554,
                                            4.113533525298231e-05};

struct needed {
  std::string text;
  int n;
};
needed samples_for_test(double alpha) {
  for (int n = 1; n < static_cast<int>(least_p.size()); ++n) {
    if (least_p[static_cast<std::size_t>(n)] <= alpha) return {fmt::format(">= {}", n), n};
  }
  int const n = static_cast<int>(least_p.size());
  return {fmt::format("> {}", n), n};
}

double median(std::span<double const> values) {
  // The median as benchstat interpolates it: quantile definition 8.
  double const place = 1 / 3.0 + 0.5 * (static_cast<double>(values.size()) + 1 / 3.0);
  double whole = 0;
  double const fraction = std::modf(place, &whole);
  auto const k = static_cast<std::size_t>(whole);
  if (k >= values.size()) return values.back();
  return values[k - 1] + fraction * (values[k] - values[k - 1]);
}

// The most frequent value; the first of those.
struct most_frequent {
  double value;
  std::size_t times;
};
most_frequent mode(std::span<double const> values) {
  most_frequent best{values.front(), 1};
  std::size_t times = 1;
  for (std::size_t i = 1; i < values.size(); ++i) {
    times = values[i] == values[i - 1] ? times + 1 : 1;
    if (times > best.times) best = {values[i], times};
  }
  return best;
}

int sign_of(double x) {
  return x > 0 ? 1 : x < 0 ? -1 : 0;
}

// --- the U test

// Two samples ranked together.
struct ranking {
  double u1 = 0;            // pairs in which the first sample's value is greater; equal ones half
  std::vector<int> groups;  // how many values are equal, from the least value on
  bool ties = false;
};

ranking rank(std::span<double const> a, std::span<double const> b) {
  std::vector<std::pair<double, bool>> all;
  for (double const x : a) all.emplace_back(x, true);
  for (double const x : b) all.emplace_back(x, false);
  std::ranges::stable_sort(all, ascending, &std::pair<double, bool>::first);
  ranking made;
  double rank_sum = 0;
  for (std::size_t i = 0; i < all.size();) {
    std::size_t const first = i;
    std::size_t of_a = 0;
    do {
      of_a += all[i].second ? 1 : 0;
      ++i;
    } while (i < all.size() && all[i].first == all[first].first);
    double const shared_rank = static_cast<double>(first + 1 + i) / 2;
    if (of_a != 0) rank_sum += shared_rank * static_cast<double>(of_a);
    made.groups.push_back(static_cast<int>(i - first));
    made.ties = made.ties || i - first > 1;
  }
  made.u1 = rank_sum - static_cast<double>(a.size() * (a.size() + 1)) / 2;
  return made;
}

// P(U <= u) when no values are equal: the recurrence of Mann and Whitney (1947),
//   p(n, m, u) = (n p(n-1, m, u-m) + m p(n, m-1, u)) / (n + m),
// for m = 0, 1, ...; rows[n] holds p(n, m, .), and p(n, m) = p(m, n).
double u_probability(int n1, int n2, int u) {
  auto const [less, more] = std::minmax(n1, n2);
  auto const at = [](int i) { return static_cast<std::size_t>(i); };
  std::vector<std::vector<double>> rows(at(less) + 1, std::vector<double>(at(u) + 1));
  for (int m = 0; m <= more; ++m) {
    rows[0][0] = 1;
    for (int n = 1; n <= std::min(less, m); ++n) {
      auto const& with_less_n = rows[at(n - 1)];
      auto const& with_less_m = rows[at(n < m ? n : m - 1)];
      // Downwards, since with_less_m may be the row itself.
      for (int x = std::min(n * m, u); x >= 0; --x) {
        double const left = x >= m ? n * with_less_n[at(x - m)] : 0;
        double const right = m * with_less_m[at(x)];
        rows[at(n)][at(x)] = (left + right) / static_cast<double>(n + m);
      }
    }
  }
  double sum = 0;
  for (double const p : rows[at(less)]) sum += p;
  return sum;
}

// P(U <= u) with equal values: counts the ways to take n1 of the values by twice their U, group by
// group from the least value on.
//
// With ties U is not distributed symmetrically, so that u, the less of U1 and U2, may lie below all
// that U1 can be. The count is 0 then, except for two groups, where benchstat rounds the number of
// values from the second one towards 0 and finds some: its p may exceed 1.
double u_probability_with_ties(int n1, int n2, std::vector<int> const& groups, double u) {
  auto const at = [](int i) { return static_cast<std::size_t>(i); };
  int const limit = static_cast<int>(2 * u);
  double sum = 0;
  if (groups.size() == 2) {
    int const from_second_max = (limit - n1 * (groups[0] - n1)) / (n1 + n2);
    for (int r = std::max(0, n1 - groups[0]); r <= from_second_max; ++r) {
      sum += choose(groups[0], n1 - r) * choose(groups[1], r);
    }
    return sum / choose(n1 + n2, n1);
  }
  std::vector<std::vector<double>> ways(at(n1) + 1, std::vector<double>(at(limit) + 1));
  ways[0][0] = 1;
  int seen = 0;
  for (int const group : groups) {
    std::vector<std::vector<double>> next(at(n1) + 1, std::vector<double>(at(limit) + 1));
    for (int taken = 0; taken <= std::min(n1, seen); ++taken) {
      for (int more = 0; more <= std::min(group, n1 - taken); ++more) {
        int const worth = more * (2 * (seen - taken) + group - more);
        double const choices = choose(group, more);
        for (int x = 0; x + worth <= limit; ++x) {
          next[at(taken + more)][at(x + worth)] += ways[at(taken)][at(x)] * choices;
        }
      }
    }
    ways = std::move(next);
    seen += group;
  }
  for (double const w : ways[at(n1)]) sum += w;
  return sum / choose(n1 + n2, n1);
}

std::optional<double> normal_u_probability(int n1, int n2, ranking const& r) {
  double ties = 0;
  for (int const t : r.groups) ties += static_cast<double>(t) * t * t - t;
  double const n = n1 + n2;
  double const pairs = static_cast<double>(n1) * n2;
  double const deviation = std::sqrt(pairs * ((n + 1) - ties / (n * (n - 1))) / 12);
  if (deviation == 0) return std::nullopt;
  double const distance = r.u1 - pairs / 2;
  double const z = (distance - sign_of(distance) * 0.5) / deviation;
  return 2 * std::min(normal_cdf(z), 1 - normal_cdf(z));
}

constexpr int exact_test_max = 50;
constexpr int exact_test_with_ties_max = 25;

}  // namespace

bool ascending(double a, double b) {
  return a < b || (std::isnan(a) && !std::isnan(b));
}

double go_log(double x) {
  // ln x = k ln 2 + ln(1 + f), and ln(1 + f) by a polynomial in s = f / (2 + f). The constants are
  // Sun's (FDLIBM e_log.c). As in Go, a subnormal x is not brought to normal form first.
  if (std::isnan(x) || x == infinity) return x;
  if (x < 0) return std::numeric_limits<double>::quiet_NaN();
  if (x == 0) return -infinity;
  auto const bits = std::bit_cast<std::uint64_t>(x);
  double half = std::bit_cast<double>((bits & 0x000F'FFFF'FFFF'FFFF) | 0x3FE0'0000'0000'0000);
  double k = static_cast<int>(bits >> 52 & 0x7FF) - 0x3FE;
  if (half <= 7.07106781186547524401e-01) {
    k -= 1;
    half *= 2;
  }
  double const f = half - 1;
  double const s = f / (2 + f);
  double const s2 = s * s;
  double const s4 = s2 * s2;
  double const odd = s2 * (6.666666666666735130e-01 +
                           s4 * (2.857142874366239149e-01 +
                                 s4 * (1.818357216161805012e-01 + s4 * 1.479819860511658591e-01)));
  double const even = s4 * (3.999999999940941908e-01 +
                            s4 * (2.222219843214978396e-01 + s4 * 1.531383769920937332e-01));
  double const half_square = 0.5 * f * f;
  double const rest = s * (half_square + (odd + even)) + k * 1.90821492927058770002e-10;
  return k * 6.93147180369123816490e-01 - ((half_square - rest) - f);
}

double go_exp(double x) {
  // e^x = 2^k e^r; e^(r/16) - 1 by its Taylor series, then squared four times (Shibata 2010). Go
  // fuses multiplications and additions where the processor can.
  if (std::isnan(x) || x == infinity) return x;
  if (x < -800) return 0;
  if (x > 7.09782712893384e+02) return infinity;
#if defined(__x86_64__)
  static bool const fused = __builtin_cpu_supports("fma") && __builtin_cpu_supports("avx");
#else
  constexpr bool fused = true;
#endif
  auto const add = [](double a, double b, double c) {
    return fused ? std::fma(a, b, c) : a * b + c;
  };
  double const k = std::nearbyint(x * 1.4426950408889634073599246810018920);
  double r = add(-k, 0.69314718055966295651160180568695068359375, x);
  r = add(-k, 0.28235290563031577122588448175013436025525412068e-12, r);
  r *= 0.0625;
  double y = 2.4801587301587301587e-5;
  for (double const coefficient :
       {1.9841269841269841270e-4, 1.3888888888888888889e-3, 8.3333333333333333333e-3,
        4.1666666666666666667e-2, 1.6666666666666666667e-1, 0.5, 1.0}) {
    y = add(y, r, coefficient);
  }
  y *= r;
  for (int i = 0; i < 3; ++i) y *= y + 2;
  y = add(y + 2, y, 1.0);
  int const exponent = static_cast<int>(k);
  if (exponent < -1023 - 52) return 0;
  return std::ldexp(y, exponent);
}

double geometric_mean(std::span<double const> values) {
  double mean = 0;
  double n = 0;
  for (double const x : values) {
    if (x <= 0) return std::numeric_limits<double>::quiet_NaN();
    n += 1;
    mean += (go_log(x) - mean) / n;
  }
  return n == 0 ? std::numeric_limits<double>::quiet_NaN() : go_exp(mean);
}

order_interval median_interval(int n, double confidence) {
  if (confidence >= 1) return {0, n + 1};
  auto const [low, high] =
      n <= exact_interval_max ? exact_interval(n, confidence) : normal_interval(n, confidence);
  return {std::max(low, 0), std::min(high, n + 1)};
}

std::optional<double> u_test(std::span<double const> a, std::span<double const> b) {
  int const n1 = static_cast<int>(a.size());
  int const n2 = static_cast<int>(b.size());
  ranking const r = rank(a, b);
  int const exact_max = r.ties ? exact_test_with_ties_max : exact_test_max;
  if (n1 > exact_max || n2 > exact_max) return normal_u_probability(n1, n2, r);
  if (r.groups.size() == 1) return std::nullopt;
  double const u2 = static_cast<double>(n1) * n2 - r.u1;
  if (r.u1 == u2) return 1;
  double const u = std::min(r.u1, u2);
  double const one_side = r.ties ? u_probability_with_ties(n1, n2, r.groups, u)
                                 : u_probability(n1, n2, static_cast<int>(u));
  return one_side * 2;
}

std::string summary::range() const {
  if (std::isinf(low) || std::isinf(high)) return "∞";
  bool const number = !std::isnan(center) && !std::isnan(low) && !std::isnan(high);
  if (!number || sign_of(center) != sign_of(low) || sign_of(center) != sign_of(high)) return "?";
  if (center == 0) return "0%";
  return fixed(100 * std::max(high / center - 1, 1 - low / center), 0) + '%';
}

std::string comparison::text() const {
  std::string const p_text = p == 0 ? std::string() : "p=" + fixed(p, 3) + ' ';
  if (n1 == n2) return fmt::format("{}n={}", p_text, n1);
  return fmt::format("{}n={}+{}", p_text, n1, n2);
}

std::string comparison::delta(double older, double newer) const {
  if (p > alpha) return "~";
  if (older == newer) return "0.00%";
  if (older == 0) return "?";
  return fixed((newer / older - 1.0) * 100.0, 2, true) + '%';
}

summary summarize(std::span<double const> values, assumption what, double confidence) {
  if (what == assumption::exact) {
    auto const [value, times] = mode(values);
    summary made{value, values.front(), values.back()};
    if (times != values.size()) {
      made.warnings.push_back(
          fmt::format("exact distribution expected, but values range from {} to {}",
                      shortest(values.front()), shortest(values.back())));
    }
    return made;
  }
  int const n = static_cast<int>(values.size());
  auto const [low, high] = median_interval(n, confidence);
  auto const at = [&](int rank) { return values[static_cast<std::size_t>(rank - 1)]; };
  summary made{median(values), low < 1 ? -infinity : at(low), high > n ? infinity : at(high)};
  if (std::isinf(made.low) || std::isinf(made.high)) {
    made.warnings.push_back(fmt::format("need {} samples for confidence interval at level {}",
                                        samples_for_interval(confidence), shortest(confidence)));
  }
  return made;
}

comparison compare(std::span<double const> older, std::span<double const> newer, assumption what,
                   double alpha) {
  comparison made{0, static_cast<int>(older.size()), static_cast<int>(newer.size()), alpha};
  if (what == assumption::exact) {
    made.alpha = 0;
    return made;
  }
  auto const p = u_test(older, newer);
  made.p = p.value_or(1);
  if (!p) {
    made.warnings.emplace_back("all samples are equal");
    return made;
  }
  if (!(made.p > alpha)) return made;
  auto const [text, n] = samples_for_test(alpha);
  if (made.n1 < n && made.n2 < n) {
    made.warnings.push_back(fmt::format("need {} samples to detect a difference at alpha level {}",
                                        text, shortest(alpha)));
  }
  return made;
}

}  // namespace vole::benchstat
