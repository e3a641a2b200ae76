// SPDX-License-Identifier: Apache-2.0
// Durations as people write them. No shared state.
#include <limits>

#include "vole/service/flags.h"

#include "telemetry/encode.h"

namespace vole::service {
namespace {

struct unit {
  std::string_view name;
  std::int64_t ns;
};
constexpr unit units[] = {{"ns", 1},
                          {"us", 1'000},
                          {"µs", 1'000},
                          {"ms", 1'000'000},
                          {"s", 1'000'000'000},
                          {"m", 60'000'000'000},
                          {"h", 3'600'000'000'000}};

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

error malformed(std::string_view text) {
  return errors::make("duration {:?}: want a number and a unit, such as 500ms, 20s or 1m30s", text);
}

// take_number reads "12" or "1.5" off the front of text: digits without the point, and how many of
// them are behind it.
struct decimal {
  std::int64_t digits = 0;
  std::int64_t divisor = 1;
};
bool take_number(std::string_view& text, decimal& to) {
  bool any = false;
  bool point = false;
  while (!text.empty() && (is_digit(text[0]) || (text[0] == '.' && !point))) {
    if (text[0] == '.') {
      point = true;
    } else {
      if (__builtin_mul_overflow(to.digits, 10, &to.digits)) return false;
      if (__builtin_add_overflow(to.digits, text[0] - '0', &to.digits)) return false;
      if (point && __builtin_mul_overflow(to.divisor, 10, &to.divisor)) return false;
      any = true;
    }
    text.remove_prefix(1);
  }
  return any;
}

unit const* take_unit(std::string_view& text) {
  std::size_t length = 0;
  while (length < text.size() && !is_digit(text[length]) && text[length] != '.') ++length;
  for (auto const& u : units) {
    if (u.name == text.substr(0, length)) {
      text.remove_prefix(length);
      return &u;
    }
  }
  return nullptr;
}

}  // namespace

result<vole::duration> parse_duration(std::string_view text) {
  if (text == "0") return vole::duration(0);
  if (text.empty()) return malformed(text);
  __extension__ using wide = __int128;
  wide total = 0;
  for (auto left = text; !left.empty();) {
    decimal number;
    if (!take_number(left, number)) return malformed(text);
    auto const* u = take_unit(left);
    if (u == nullptr) return malformed(text);
    total += static_cast<wide>(number.digits) * u->ns / number.divisor;
    if (total > std::numeric_limits<std::int64_t>::max()) {
      return errors::make("duration {:?}: longer than 292 years", text);
    }
  }
  return vole::duration(static_cast<std::int64_t>(total));
}

std::string format_duration(vole::duration d) {
  internal::line_buffer text;
  internal::append_duration(text, d);
  return fmt::to_string(text);
}

}  // namespace vole::service
