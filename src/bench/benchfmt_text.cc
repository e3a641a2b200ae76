// SPDX-License-Identifier: Apache-2.0
// No shared state: the classes' tables are built once and only read.
#include "bench/benchfmt_text.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <re2/re2.h>

#include "vole/internal/format.h"

namespace vole::benchfmt {
namespace {

constexpr char32_t bad_rune = 0xFFFD;
constexpr char32_t rune_max = 0x10FFFF;

bool is_surrogate(char32_t c) {
  return c >= 0xD800 && c <= 0xDFFF;
}

void append_rune(std::string& to, char32_t c) {
  if (c > rune_max || is_surrogate(c)) c = bad_rune;
  auto const put = [&](char32_t byte) { to.push_back(static_cast<char>(byte)); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | c >> 6), put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | c >> 12), put(0x80 | (c >> 6 & 0x3F)), put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | c >> 18), put(0x80 | (c >> 12 & 0x3F));
    put(0x80 | (c >> 6 & 0x3F)), put(0x80 | (c & 0x3F));
  }
}

// RE2 carries the tables of Unicode; it is linked for -filter anyway.
bool in_class(char32_t c, re2::RE2 const& which) {
  std::string text;
  append_rune(text, c);
  return re2::RE2::FullMatch(text, which);
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_hex_digit(char c) {
  return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'f');
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

// Underscores stand between digits, or between the base prefix and a digit.
bool underscores_stand_well(std::string_view text) {
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  bool hex = false;
  bool after_digit = false;
  bool after_underscore = false;
  if (text.size() >= 2 && text[0] == '0' &&
      std::string_view("box").find(lower(text[1])) != std::string_view::npos) {
    hex = lower(text[1]) == 'x';
    after_digit = true;
    text.remove_prefix(2);
  }
  for (char const c : text) {
    bool const digit = is_digit(c) || (hex && is_hex_digit(c));
    if (c == '_' ? !after_digit : after_underscore && !digit) return false;
    after_underscore = c == '_';
    after_digit = digit;
  }
  return !after_underscore;
}

// A number without its underscores, checked: sign, digits with at most one point, exponent. Empty
// when it is none.
std::string plain_number(std::string_view text) {
  std::string plain(text);
  std::erase(plain, '_');
  std::string_view rest = plain;
  auto const take_digits = [&](bool hex) {
    std::size_t n = 0;
    while (n < rest.size() && (hex ? is_hex_digit(rest[n]) : is_digit(rest[n]))) ++n;
    rest.remove_prefix(n);
    return n;
  };
  auto const take = [&](char c) {
    if (rest.empty() || lower(rest.front()) != c) return false;
    rest.remove_prefix(1);
    return true;
  };
  if (!take('+')) static_cast<void>(take('-'));
  bool const hex = rest.size() >= 2 && rest[0] == '0' && lower(rest[1]) == 'x';
  if (hex) rest.remove_prefix(2);
  std::size_t digits = take_digits(hex);
  if (take('.')) digits += take_digits(hex);
  if (digits == 0) return {};
  bool const exponent = take(hex ? 'p' : 'e');
  if (hex && !exponent) return {};
  if (exponent) {
    if (!take('+')) static_cast<void>(take('-'));
    if (take_digits(false) == 0) return {};
  }
  return rest.empty() ? plain : std::string();
}

// escaped is how %q writes a rune that it cannot show.
std::string escaped(char32_t c) {
  static constexpr std::string_view letters = "abtnvfr";  // of 7 .. 13
  if (c >= 7 && c <= 13) return {'\\', letters[c - 7]};
  if (c < ' ' || c == 0x7F) return fmt::format("\\x{:02x}", std::uint32_t{c});
  if (c < 0x10000) return fmt::format("\\u{:04x}", std::uint32_t{c});
  return fmt::format("\\U{:08x}", std::uint32_t{c});
}

bool is_printable(char32_t c) {
  return c < 0x80 ? c >= ' ' && c < 0x7F : is_graphic(c) && !is_space(c);
}

// take_number cuts `digits` digits of the base off text.
std::optional<char32_t> take_number(std::string_view& text, std::size_t digits, int base) {
  std::uint32_t value = 0;
  if (text.size() < digits) return std::nullopt;
  auto const [end, err] = std::from_chars(text.data(), text.data() + digits, value, base);
  if (err != std::errc() || end != text.data() + digits) return std::nullopt;
  text.remove_prefix(digits);
  return value;
}

// unescape reads what follows a backslash and appends what it stands for.
bool unescape(std::string_view& text, std::string& to) {
  if (text.empty()) return false;
  char const c = text.front();
  static constexpr std::string_view names = "abtnvfr\\\"";
  static constexpr std::string_view values = "\a\b\t\n\v\f\r\\\"";
  if (auto const at = names.find(c); at != std::string_view::npos) {
    to.push_back(values[at]);
    text.remove_prefix(1);
    return true;
  }
  if (c >= '0' && c <= '7') {
    auto const byte = take_number(text, 3, 8);
    if (!byte || *byte > 0xFF) return false;
    to.push_back(static_cast<char>(*byte));
    return true;
  }
  std::size_t const digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
  if (digits == 0) return false;
  text.remove_prefix(1);
  auto const value = take_number(text, digits, 16);
  if (!value) return false;
  if (c == 'x') {
    to.push_back(static_cast<char>(*value));
    return true;
  }
  if (*value > rune_max || is_surrogate(*value)) return false;
  append_rune(to, *value);
  return true;
}

}  // namespace

rune decode_rune(std::string_view text) {
  auto const byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned char const first = byte(0);
  if (first < 0x80) return {first, 1};
  std::size_t const length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return {bad_rune, 1};
  char32_t value = first & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {bad_rune, 1};
    value = value << 6 | (byte(i) & 0x3F);
  }
  static constexpr std::array<char32_t, 5> least = {0, 0, 0x80, 0x800, 0x10000};
  if (value < least[length] || value > rune_max || is_surrogate(value)) return {bad_rune, 1};
  return {value, length};
}

std::size_t rune_count(std::string_view text) {
  std::size_t runes = 0;
  for (; !text.empty(); ++runes) text.remove_prefix(decode_rune(text).bytes);
  return runes;
}

bool is_space(char32_t c) {
  if (c <= 0xFF) return c == ' ' || (c >= '\t' && c <= '\r') || c == 0x85 || c == 0xA0;
  return c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
         c == 0x205F || c == 0x3000;
}

bool is_lower(char32_t c) {
  static re2::RE2 const letters("\\p{Ll}");
  if (c < 0x80) return c >= 'a' && c <= 'z';
  return c == 0xAA || c == 0xBA || in_class(c, letters);  // Go counts the two ordinals
}

bool is_upper(char32_t c) {
  static re2::RE2 const letters("\\p{Lu}");
  if (c < 0x80) return c >= 'A' && c <= 'Z';
  return in_class(c, letters);
}

bool is_graphic(char32_t c) {
  static re2::RE2 const marks("[\\pL\\pM\\pN\\pP\\pS\\p{Zs}]");
  if (c < 0x80) return c >= ' ' && c < 0x7F;
  return in_class(c, marks);
}

std::string_view take_field(std::string_view& text) {
  std::size_t end = 0;
  std::size_t next = 0;
  while (end < text.size()) {
    rune const r = decode_rune(text.substr(end));
    next = end + r.bytes;
    if (is_space(r.value)) break;
    end = next;
  }
  std::string_view const field = text.substr(0, end);
  text.remove_prefix(next);
  while (!text.empty()) {
    rune const r = decode_rune(text);
    if (!is_space(r.value)) break;
    text.remove_prefix(r.bytes);
  }
  return field;
}

bool is_blank(std::string_view text) {
  while (!text.empty()) {
    rune const r = decode_rune(text);
    if (!is_space(r.value)) return false;
    text.remove_prefix(r.bytes);
  }
  return true;
}

std::string_view to_text(number_error err) {
  switch (err) {
    case number_error::none:
      return "no error";
    case number_error::syntax:
      return "invalid syntax";
    case number_error::range:
      break;
  }
  return "value out of range";
}

parsed<std::int64_t> parse_int(std::string_view text) {
  bool const plus = text.starts_with('+');
  if (plus) text.remove_prefix(1);
  std::int64_t value = 0;
  auto const [end, err] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (err == std::errc::invalid_argument || end != text.data() + text.size() ||
      (plus && text.starts_with('-'))) {
    return {0, number_error::syntax};
  }
  if (err != std::errc()) return {0, number_error::range};
  return {value};
}

parsed<double> parse_float(std::string_view text) {
  std::string_view word = text;
  bool const minus = word.starts_with('-');
  if (minus || word.starts_with('+')) word.remove_prefix(1);
  constexpr double infinity = std::numeric_limits<double>::infinity();
  if (equal_ignoring_case(word, "inf") || equal_ignoring_case(word, "infinity")) {
    return {minus ? -infinity : infinity};
  }
  if (equal_ignoring_case(text, "nan")) return {std::numeric_limits<double>::quiet_NaN()};
  std::string const plain = underscores_stand_well(text) ? plain_number(text) : std::string();
  if (plain.empty()) return {0, number_error::syntax};
  double const value = std::strtod(plain.c_str(), nullptr);
  if (std::isinf(value)) return {value, number_error::range};
  return {value};
}

std::string shortest(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  std::array<char, 48> text{};
  char* const end = text.data() + text.size();
  auto written = std::to_chars(text.data(), end, value, std::chars_format::scientific);
  std::string_view const all(text.data(), written.ptr);
  std::string_view exponent_text = all.substr(all.rfind('e') + 1);
  if (exponent_text.starts_with('+')) exponent_text.remove_prefix(1);
  int const exponent = static_cast<int>(parse_int(exponent_text).value);
  if (exponent >= -4 && exponent < 6) {
    written = std::to_chars(text.data(), end, value, std::chars_format::fixed);
  }
  return {text.data(), written.ptr};
}

std::string fixed(double value, int places, bool plus) {
  if (std::isnan(value)) return plus ? "+NaN" : "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return plus ? fmt::format("{:+.{}f}", value, places) : fmt::format("{:.{}f}", value, places);
}

std::string pad(int width, std::string_view text) {
  auto const want = static_cast<std::size_t>(std::abs(width));
  std::size_t const have = rune_count(text);
  std::string const blanks(want > have ? want - have : 0, ' ');
  return width < 0 ? std::string(text) + blanks : blanks + std::string(text);
}

std::string quote(std::string_view text) {
  std::string quoted = "\"";
  while (!text.empty()) {
    rune const r = decode_rune(text);
    if (r.value == bad_rune && r.bytes == 1) {
      quoted += fmt::format("\\x{:02x}", static_cast<unsigned char>(text.front()));
    } else if (r.value == '"' || r.value == '\\') {
      quoted += {'\\', static_cast<char>(r.value)};
    } else if (is_printable(r.value)) {
      quoted += text.substr(0, r.bytes);
    } else {
      quoted += escaped(r.value);
    }
    text.remove_prefix(r.bytes);
  }
  return quoted + '"';
}

std::optional<std::string> unquote(std::string_view text) {
  if (text.size() < 2 || text.front() != '"' || text.back() != '"') return std::nullopt;
  text = text.substr(1, text.size() - 2);
  std::string plain;
  while (!text.empty()) {
    if (text.front() == '"' || text.front() == '\n') return std::nullopt;
    if (text.front() == '\\') {
      text.remove_prefix(1);
      if (!unescape(text, plain)) return std::nullopt;
      continue;
    }
    rune const r = decode_rune(text);
    append_rune(plain, r.value);
    text.remove_prefix(r.bytes);
  }
  return plain;
}

}  // namespace vole::benchfmt
