// SPDX-License-Identifier: Apache-2.0
//
// Go's benchmark format. No shared state.
// Source: golang.org/design/14313-benchmark-format; testing.BenchmarkResult.String.

#include "bench/result.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <limits>
#include <optional>

#include "vole/internal/format.h"

namespace vole::bench {
namespace {

// fixed is Go's %<width>.<digits>f.
std::string fixed(double value, int width, int digits) {
  if (std::isnan(value)) return fmt::format("{:>{}}", "NaN", width);
  if (std::isinf(value)) return fmt::format("{:>{}}", value > 0 ? "+Inf" : "-Inf", width);
  return fmt::format("{:{}.{}f}", value, width, digits);
}

// whole is Go's int64(value), which on amd64 is the least number where value is none.
std::int64_t whole(double value) {
  constexpr double limit = 0x1p63;
  bool const fits = value >= -limit && value < limit;
  return fits ? static_cast<std::int64_t>(value) : std::numeric_limits<std::int64_t>::min();
}

// number prints ten places before the point and four significant digits, all points in one column.
std::string number(double value, std::string_view unit) {
  struct step {
    double from;
    int width;
    int digits;
  };
  static constexpr step steps[] = {
      {999.95, 10, 0},   {99.995, 12, 1},    {9.9995, 13, 2},     {0.99995, 14, 3},
      {0.099995, 15, 4}, {0.0099995, 16, 5}, {0.00099995, 17, 6},
  };
  double const magnitude = std::abs(value);
  auto const* const format = std::ranges::find_if(steps, [&](step const& s) {
    return magnitude >= s.from || (magnitude == 0 && s.digits == 0);
  });
  bool const found = format != std::end(steps);
  return fixed(value, found ? format->width : 18, found ? format->digits : 7) + ' ' +
         std::string(unit);
}

std::optional<double> overridden(measurement const& m, char const* unit) {
  auto const at = m.extra.find(unit);
  if (at == m.extra.end()) return std::nullopt;
  return at->second;
}

double mb_per_second(measurement const& m) {
  if (auto const given = overridden(m, "MB/s")) return *given;
  if (m.bytes_per_op <= 0 || m.time.count() <= 0 || m.n <= 0) return 0;
  double const seconds = static_cast<double>(m.time.count()) / 1e9;
  return static_cast<double>(m.bytes_per_op) * static_cast<double>(m.n) / 1e6 / seconds;
}

// per_op is a whole number, as Go's; below one Go says 0, we say how much.
std::string per_op(measurement const& m, char const* unit, std::uint64_t total) {
  double value = m.n <= 0 ? 0 : static_cast<double>(total) / static_cast<double>(m.n);
  if (auto const given = overridden(m, unit)) value = *given;
  if (value > 0 && value < 1) return fmt::format("{:8.4g} {}", value, unit);
  return fmt::format("{:8} {}", whole(value), unit);
}

bool is_builtin(std::string_view unit) {
  return unit == "ns/op" || unit == "MB/s" || unit == "B/op" || unit == "allocs/op";
}

}  // namespace

std::string full_name(std::string_view name, int procs) {
  return procs == 1 ? std::string(name) : fmt::format("{}-{}", name, procs);
}

double ns_per_op(measurement const& m) {
  return overridden(m, "ns/op")
      .value_or(static_cast<double>(m.time.count()) / static_cast<double>(m.n));
}

std::string to_line(measurement const& m) {
  std::string line = fmt::format("{:8}", m.n);
  double const ns = ns_per_op(m);
  if (ns != 0) line += '\t' + number(ns, "ns/op");
  if (double const rate = mb_per_second(m); rate != 0) line += '\t' + fixed(rate, 7, 2) + " MB/s";
  for (auto const& [unit, value] : m.extra) {
    if (!is_builtin(unit)) line += '\t' + number(value, unit);
  }
  return line;
}

std::string to_memory_columns(measurement const& m) {
  return per_op(m, "B/op", m.block_bytes) + '\t' + per_op(m, "allocs/op", m.blocks);
}

std::string camel_case(std::string_view snake_case) {
  std::string camel;
  bool upper = true;
  for (char const c : snake_case) {
    if (c == '_') {
      upper = true;
      continue;
    }
    camel += upper ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    upper = false;
  }
  return camel;
}

}  // namespace vole::bench
