// SPDX-License-Identifier: Apache-2.0
// No shared state.
#include "pprof/measure.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "vole/internal/format.h"

namespace vole::pprof {
namespace {

struct unit {
  std::string_view name;
  std::string_view aliases[3];
  double factor;
};

constexpr unit memory_units[] = {
    {"B", {"b", "byte", ""}, 1},
    {"kB", {"kb", "kbyte", "kilobyte"}, 1024.0},
    {"MB", {"mb", "mbyte", "megabyte"}, 1024.0 * 1024},
    {"GB", {"gb", "gbyte", "gigabyte"}, 1024.0 * 1024 * 1024},
    {"TB", {"tb", "tbyte", "terabyte"}, 1024.0 * 1024 * 1024 * 1024},
    {"PB", {"pb", "pbyte", "petabyte"}, 1024.0 * 1024 * 1024 * 1024 * 1024},
};
constexpr unit time_units[] = {
    {"ns", {"ns", "nanosecond", ""}, 1},    {"us", {"us", "microsecond", ""}, 1e3},
    {"ms", {"ms", "millisecond", ""}, 1e6}, {"s", {"s", "sec", "second"}, 1e9},
    {"hrs", {"hr", "hour", ""}, 3600e9},
};
// What a value has that is smaller than one of every unit.
constexpr std::size_t memory_default = 0;
constexpr std::size_t time_default = 3;

struct kind {
  std::span<unit const> units;
  unit const* smallest;
};

unit const* find(std::span<unit const> units, std::string_view name) {
  std::string lower(name);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (lower.size() > 2 && lower.ends_with('s')) lower.pop_back();
  for (unit const& u : units) {
    if (std::find(std::begin(u.aliases), std::end(u.aliases), lower) != std::end(u.aliases)) {
      return &u;
    }
  }
  return nullptr;
}

kind kind_of(std::string_view name) {
  if (find(memory_units, name) != nullptr) return {memory_units, &memory_units[memory_default]};
  if (find(time_units, name) != nullptr) return {time_units, &time_units[time_default]};
  return {};
}

std::string with_unit(double value, std::string_view name) {
  std::string text = fmt::format("{:.2f}", value);
  if (text.ends_with(".00")) text.resize(text.size() - 3);
  if (text == "0" || text == "-0") return "0";
  return text.append(name);
}

}  // namespace

std::string auto_unit(std::int64_t value, std::string_view name) {
  kind const k = kind_of(name);
  if (k.units.empty()) return {};
  double const in_smallest = std::abs(static_cast<double>(value)) * find(k.units, name)->factor;
  unit const* best = nullptr;
  for (unit const& u : k.units) {
    if (in_smallest >= u.factor) best = &u;
  }
  return std::string((best == nullptr ? k.smallest : best)->name);
}

std::string measure(std::int64_t value, std::string_view name, std::string_view to) {
  kind const k = kind_of(name);
  if (k.units.empty()) {
    bool const plain = to.empty() || to == "count" || to == "sample" || to == "unit";
    return with_unit(static_cast<double>(value), plain ? std::string_view() : to);
  }
  unit const* const target = find(k.units, to);
  unit const& shown = target == nullptr ? *k.smallest : *target;
  double const in_smallest = static_cast<double>(value) * find(k.units, name)->factor;
  return with_unit(in_smallest / shown.factor, shown.name);
}

std::string auto_measure(std::int64_t value, std::string_view name) {
  return measure(value, name, auto_unit(value, name));
}

std::string percentage(std::int64_t part, std::int64_t whole) {
  double share = 0;
  if (whole != 0) share = std::abs(static_cast<double>(part) / static_cast<double>(whole)) * 100;
  if (share >= 99.95 && share <= 100.05) return "  100%";
  return share >= 1 ? fmt::format("{:5.2f}%", share) : fmt::format("{:5.2g}%", share);
}

}  // namespace vole::pprof
