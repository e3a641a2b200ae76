// SPDX-License-Identifier: Apache-2.0
#pragma once
// Text as benchfmt and benchstat read and write it: Go's runes, fields, numbers, quoting and
// padding. No shared state.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace vole::benchfmt {

struct rune {
  char32_t value;
  std::size_t bytes;
};

// decode_rune reads the first rune of text, which is not empty; a byte that begins no UTF-8
// sequence is {U+FFFD, 1}.
rune decode_rune(std::string_view text);
std::size_t rune_count(std::string_view text);

// The classes of Go's package unicode.
bool is_space(char32_t c);
bool is_lower(char32_t c);
bool is_upper(char32_t c);
bool is_graphic(char32_t c);

// take_field cuts the first word, and the white space after it, off text.
std::string_view take_field(std::string_view& text);
bool is_blank(std::string_view text);

enum class number_error { none, syntax, range };
// to_text is "invalid syntax" or "value out of range".
std::string_view to_text(number_error err);

template <class T>
struct parsed {
  T value{};
  number_error err = number_error::none;
};
// parse_int reads a decimal number; parse_float what Go's strconv.ParseFloat reads: decimal and
// hexadecimal, underscores between digits, inf and nan.
parsed<std::int64_t> parse_int(std::string_view text);
parsed<double> parse_float(std::string_view text);

// shortest is Go's %v: the fewest digits that read back as the same number.
std::string shortest(double value);
// fixed is Go's %.<places>f, with a sign always when plus is set.
std::string fixed(double value, int places, bool plus = false);
// pad is Go's %*s: right-aligned in width runes; left-aligned in -width when width is negative.
std::string pad(int width, std::string_view text);

// quote is Go's %q; unquote reads such a word back, with its quotes.
std::string quote(std::string_view text);
std::optional<std::string> unquote(std::string_view text);

}  // namespace vole::benchfmt
