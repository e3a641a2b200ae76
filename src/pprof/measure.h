// SPDX-License-Identifier: Apache-2.0
#pragma once
// Values with their units, as pprof writes them: "1.05s", "512kB", "12". No shared state.
// Source: github.com/google/pprof/internal/measurement. Differs: no Google compute units.

#include <cstdint>
#include <string>
#include <string_view>

namespace vole::pprof {

// auto_unit is the largest unit in which value is 1 or more: "ms" for 2'000'000 nanoseconds; "" for
// what has no units, such as a count.
std::string auto_unit(std::int64_t value, std::string_view unit);

// measure writes value, which is in unit, in `to`, with two decimals at most; what cannot be
// converted stays as it is.
std::string measure(std::int64_t value, std::string_view unit, std::string_view to);

// auto_measure is measure in its auto_unit.
std::string auto_measure(std::int64_t value, std::string_view unit);

// percentage is part of whole in seven columns: "  100%", " 5.26%", " 0.5%".
std::string percentage(std::int64_t part, std::int64_t whole);

}  // namespace vole::pprof
