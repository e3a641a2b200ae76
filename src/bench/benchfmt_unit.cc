// SPDX-License-Identifier: Apache-2.0
// No shared state.
#include "bench/benchfmt_unit.h"

#include <array>
#include <cmath>
#include <cstddef>
#include <vector>

#include "bench/benchfmt_text.h"

namespace vole::benchfmt {
namespace {

// A word of a unit: "ns" in "p99-ns/op".
struct word {
  std::string_view text;
  std::size_t at;
  bool in_denominator;
};

std::vector<word> words_of(std::string_view unit) {
  std::vector<word> words;
  bool in_denominator = false;
  std::size_t begin = 0;
  auto const end_word = [&](std::size_t end) {
    if (end > begin) words.push_back({unit.substr(begin, end - begin), begin, in_denominator});
  };
  for (std::size_t at = 0; at < unit.size();) {
    rune const r = decode_rune(unit.substr(at));
    if (r.value == '*' || r.value == '/' || r.value == '-' || is_space(r.value)) {
      end_word(at);
      begin = at + r.bytes;
      if (r.value == '*') in_denominator = false;
      if (r.value == '/') in_denominator = true;
    }
    at += r.bytes;
  }
  end_word(unit.size());
  return words;
}

// A prefix and from which value on it is used with 1, 2 and 3 decimal places: 100.0, 10.00, 1.000,
// each as rounding will print it.
struct scale {
  double factor;
  std::string_view prefix;
  double hundreds, tens, ones;
};

constexpr std::array<scale, 8> decimal_scales = {{
    {1e12, "T", 99.995e12, 9.9995e12, .99995e12},
    {1e9, "G", 99.995e9, 9.9995e9, .99995e9},
    {1e6, "M", 99.995e6, 9.9995e6, .99995e6},
    {1e3, "k", 99.995e3, 9.9995e3, .99995e3},
    {1, "", 99.995, 9.9995, .99995},
    {1e-3, "m", 99.995e-3, 9.9995e-3, .99995e-3},
    {1e-6, "µ", 99.995e-6, 9.9995e-6, .99995e-6},
    {1e-9, "n", 99.995e-9, 9.9995e-9, .99995e-9},
}};

constexpr scale binary_scale(double factor, std::string_view prefix) {
  return {factor, prefix, 99.995 * factor, 9.9995 * factor, .99995 * factor};
}
constexpr std::array<scale, 5> binary_scales = {{
    binary_scale(0x1p40, "Ti"),
    binary_scale(0x1p30, "Gi"),
    binary_scale(0x1p20, "Mi"),
    binary_scale(0x1p10, "Ki"),
    binary_scale(1, ""),
}};

// From which value on 3, 4, ... decimal places show three digits.
constexpr std::array<double, 8> small_values = {9.9995e-1, 9.9995e-2, 9.9995e-3, 9.9995e-4,
                                                9.9995e-5, 9.9995e-6, 9.9995e-7, 9.9995e-8};

}  // namespace

tidied_unit tidy_unit(std::string_view unit) {
  if (unit == "ns/op") return {"sec/op", 1e-9};
  if (unit == "MB/s") return {"B/s", 1e6};
  tidied_unit tidied{{}, 1};
  std::size_t copied = 0;
  for (word const& w : words_of(unit)) {
    if (w.in_denominator || (w.text != "ns" && w.text != "MB")) continue;
    bool const time = w.text == "ns";
    tidied.factor = time ? tidied.factor / 1e9 : tidied.factor * 1e6;
    tidied.unit += unit.substr(copied, w.at - copied);
    tidied.unit += time ? "sec" : "B";
    copied = w.at + w.text.size();
  }
  tidied.unit += unit.substr(copied);
  return tidied;
}

unit_class class_of(std::string_view unit) {
  for (word const& w : words_of(unit)) {
    bool const bytes = w.text == "B" || w.text == "MB" || w.text == "bytes";
    if (bytes && !w.in_denominator) return unit_class::binary;
  }
  return unit_class::decimal;
}

std::string scaler::format(double value) const {
  return fixed(value / factor, places).append(prefix);
}

scaler common_scale(std::span<double const> values, unit_class which) {
  double least = 0;  // of those that are not 0, the one nearest to it
  for (double const value : values) {
    double const size = std::abs(value);
    if (size != 0 && (least == 0 || size < least)) least = size;
  }
  if (least == 0) return {};
  std::span<scale const> const scales = which == unit_class::binary
                                            ? std::span<scale const>(binary_scales)
                                            : std::span<scale const>(decimal_scales);
  for (scale const& s : scales) {
    if (least >= s.hundreds) return {1, s.factor, s.prefix};
    if (least >= s.tens) return {2, s.factor, s.prefix};
    if (least >= s.ones) return {3, s.factor, s.prefix};
  }
  scale const& last = scales.back();
  int places = 3;
  for (double const threshold : small_values) {
    if (least / last.factor >= threshold || threshold == small_values.back()) break;
    ++places;
  }
  return {places, last.factor, last.prefix};
}

}  // namespace vole::benchfmt
