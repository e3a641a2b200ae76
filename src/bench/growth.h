// SPDX-License-Identifier: Apache-2.0
#pragma once
// How a time grows: with n (sub-benchmarks named n=...), and with the number of processors (-cpu).
// No shared state.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vole::bench {

// point is one measurement: at n, so many ns/op.
struct point {
  double n = 0;
  double ns = 0;  // or what else grows
};

// medians has one point for each n, in their order.
std::vector<point> medians(std::vector<point> const& points);

struct fit {
  std::string_view form;  // "O(n log n)"
  double factor = 0;      // ns per unit of the form
  double rms = 0;         // root of the mean square of the relative residuals
};

// fits holds 1, log n, n, n log n and n^2 against the points, the closest first. Each has one
// factor, chosen so that the relative residuals are least: small n count as much as large ones.
// Empty when there are fewer than three different n.
std::vector<fit> fits(std::vector<point> const& points);

// growth_text is "grows as O(n), 1.25 ns * n, rms 3 %", with what fits nearly as well; empty when
// there is nothing to fit. Several points of one n count as their median.
std::string growth_text(std::vector<point> const& points, std::string_view unit = "ns");

// scaling_exponent is e where throughput grows as procs^e: 1 is perfect, 0 nothing gained. Nothing
// for fewer than two different numbers of processors. Several points of one number count as their
// median.
std::optional<double> scaling_exponent(std::vector<point> const& ns_by_procs);

// scaling_text is "throughput grows as procs^0.93 (1: 12.1 ns/op, 2: 6.3 ns/op)", or empty.
std::string scaling_text(std::vector<point> const& ns_by_procs);

// n_of reads the size of "BenchmarkSort/n=1024/seed=1": the value of the part n=; family_of puts
// a star there: "BenchmarkSort/n=*/seed=1". Nothing without such a part.
std::optional<double> n_of(std::string_view name);
std::string family_of(std::string_view name);

}  // namespace vole::bench
