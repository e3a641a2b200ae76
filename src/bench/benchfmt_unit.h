// SPDX-License-Identifier: Apache-2.0
#pragma once
// Units of measurements: their base forms, and how many of their digits are shown. No shared state.

#include <span>
#include <string>
#include <string_view>

namespace vole::benchfmt {

// tidy_unit turns scaled units in the numerator into base units: "ns/op" is {"sec/op", 1e-9},
// "MB/s" {"B/s", 1e6}.
struct tidied_unit {
  std::string unit;
  double factor;
};
tidied_unit tidy_unit(std::string_view unit);

// binary units (bytes in the numerator) are shown with Ki, Mi, ..., the others with k, M, ...
enum class unit_class { decimal, binary };
unit_class class_of(std::string_view unit);

// scaler shows numbers in one scale.
struct scaler {
  int places = 3;
  double factor = 1;
  std::string_view prefix = {};

  std::string format(double value) const;
};
// common_scale shows three digits of each value, at least.
scaler common_scale(std::span<double const> values, unit_class which);

}  // namespace vole::benchfmt
