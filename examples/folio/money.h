// SPDX-License-Identifier: Apache-2.0
// money: integer arithmetic on minor units (cents) and micro-shares. No float anywhere; no shared
// state.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "vole/result.h"

namespace folio {

inline constexpr std::int64_t micro = 1'000'000;
inline constexpr std::int64_t amount_minor_max = 1'000'000'000'000'000;  // 10^15

// cost_of is qty_micro * price_minor / 1,000,000 in minor units, rounded half to even, by 128-bit
// arithmetic.
// Nullopt: the result does not fit 64 bits.
std::optional<std::int64_t> cost_of(std::int64_t qty_micro, std::int64_t price_minor) noexcept;

// parse_minor reads a decimal amount with at most two places ("39.81", "7", "0.5") as minor units:
// 3981, 700, 50.
vole::result<std::int64_t> parse_minor(std::string_view text);

}  // namespace folio
