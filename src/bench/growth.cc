// SPDX-License-Identifier: Apache-2.0
//
// Fits of growth. No shared state.
//
// REJECTED least squares of the absolute residuals, as Google Benchmark has it: the largest n alone
//   decides, and a constant of 50 ns turns O(n) into O(log n) over small ones; a form with a
//   constant term: with two factors and five points nearly everything fits nearly everything.

#include "bench/growth.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <map>
#include <set>

#include "vole/internal/format.h"

namespace vole::bench {
namespace {

constexpr std::size_t sizes_min = 3;
constexpr double nearly = 1.25;  // a form whose rms is within so much of the best is named too
constexpr double poor_rms = 0.25;

struct form {
  std::string_view name;
  std::string_view unit;
  double (*of)(double n);
};
constexpr form forms[] = {
    {"O(1)", "", [](double) { return 1.0; }},
    {"O(log n)", " * log2 n", [](double n) { return std::log2(std::max(n, 2.0)); }},
    {"O(n)", " * n", [](double n) { return n; }},
    {"O(n log n)", " * n log2 n", [](double n) { return n * std::log2(std::max(n, 2.0)); }},
    {"O(n^2)", " * n^2", [](double n) { return n * n; }},
};

std::string_view unit_of(std::string_view name) {
  for (form const& f : forms) {
    if (f.name == name) return f.unit;
  }
  return {};
}

// The factor that makes the sum of (1 - factor * f / ns)^2 least.
fit fit_one(form const& f, std::vector<point> const& points) {
  double sum = 0;
  double squares = 0;
  for (point const& p : points) {
    double const r = f.of(p.n) / p.ns;
    sum += r;
    squares += r * r;
  }
  double const factor = sum / squares;
  double residual = 0;
  for (point const& p : points) residual += std::pow(1 - factor * f.of(p.n) / p.ns, 2);
  return {f.name, factor, std::sqrt(residual / static_cast<double>(points.size()))};
}

std::size_t different_sizes(std::vector<point> const& points) {
  std::set<double> sizes;
  for (point const& p : points) sizes.insert(p.n);
  return sizes.size();
}

std::vector<point> usable(std::vector<point> const& all) {
  std::vector<point> points = medians(all);
  std::erase_if(points, [](point const& p) { return !(p.n > 0 && p.ns > 0); });
  return points;
}

// The part "n=..." of a name: where its value begins and ends.
std::optional<std::pair<std::size_t, std::size_t>> value_of_n(std::string_view name) {
  std::size_t const at = name.find("/n=");
  if (at == std::string_view::npos) return std::nullopt;
  std::size_t const from = at + 3;
  return std::pair(from, std::min(name.find('/', from), name.size()));
}

}  // namespace

std::vector<point> medians(std::vector<point> const& points) {
  std::map<double, std::vector<double>> by_n;
  for (point const& p : points) by_n[p.n].push_back(p.ns);
  std::vector<point> made;
  for (auto& [n, ns] : by_n) {
    std::ranges::sort(ns);
    std::size_t const middle = ns.size() / 2;
    made.push_back({n, ns.size() % 2 == 1 ? ns[middle] : (ns[middle - 1] + ns[middle]) / 2});
  }
  return made;
}

std::vector<fit> fits(std::vector<point> const& points) {
  std::vector<point> const good = usable(points);
  if (different_sizes(good) < sizes_min) return {};
  std::vector<fit> all;
  for (form const& f : forms) all.push_back(fit_one(f, good));
  std::ranges::sort(all, {}, &fit::rms);
  return all;
}

std::string growth_text(std::vector<point> const& points, std::string_view unit) {
  std::vector<fit> const all = fits(points);
  if (all.empty()) return {};
  fit const& best = all.front();
  std::string text = fmt::format("grows as {}: {:.4g} {}{}, rms {:.0f} %", best.form, best.factor,
                                 unit, unit_of(best.form), best.rms * 100);
  for (std::size_t i = 1; i < all.size() && all[i].rms <= best.rms * nearly; ++i) {
    text += fmt::format("; {} fits nearly as well, rms {:.0f} %", all[i].form, all[i].rms * 100);
  }
  if (best.rms > poor_rms) text += "; none fits well";
  return text;
}

std::optional<double> scaling_exponent(std::vector<point> const& ns_by_procs) {
  std::vector<point> const good = usable(ns_by_procs);
  if (different_sizes(good) < 2) return std::nullopt;
  double x = 0;
  double y = 0;
  for (point const& p : good) {
    x += std::log(p.n);
    y -= std::log(p.ns);
  }
  x /= static_cast<double>(good.size());
  y /= static_cast<double>(good.size());
  double xx = 0;
  double xy = 0;
  for (point const& p : good) {
    xx += std::pow(std::log(p.n) - x, 2);
    xy += (std::log(p.n) - x) * (-std::log(p.ns) - y);
  }
  return xy / xx;
}

std::string scaling_text(std::vector<point> const& ns_by_procs) {
  std::optional<double> const e = scaling_exponent(ns_by_procs);
  if (!e) return {};
  std::string list;
  for (point const& p : medians(ns_by_procs)) {
    list += fmt::format("{}{}: {:.4g} ns/op", list.empty() ? "" : ", ", p.n, p.ns);
  }
  return fmt::format("throughput grows as procs^{:.2f} ({})", *e, list);
}

std::optional<double> n_of(std::string_view name) {
  auto const at = value_of_n(name);
  if (!at) return std::nullopt;
  double n = 0;
  auto const [end, failure] = std::from_chars(name.data() + at->first, name.data() + at->second, n);
  if (failure != std::errc{} || end != name.data() + at->second) return std::nullopt;
  return n;
}

std::string family_of(std::string_view name) {
  auto const at = value_of_n(name);
  if (!at) return {};
  return fmt::format("{}*{}", name.substr(0, at->first), name.substr(at->second));
}

}  // namespace vole::bench
