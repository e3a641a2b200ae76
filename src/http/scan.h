// SPDX-License-Identifier: Apache-2.0
// Character classes of HTTP and scans over runs of them, eight bytes at a step. No shared state.
// Source: RFC 9110 section 5.6.2 (token), 5.5 (field-content); RFC 9112 section 3.2 (target).
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace vole::http::internal {

static_assert(std::endian::native == std::endian::little, "the scans find the lowest byte first");

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
constexpr bool is_alpha(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
constexpr char to_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}
// hex_value is 0 to 15, or -1.
constexpr int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  char const lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// token characters: what methods and field names are made of.
inline constexpr auto token_table = [] {
  std::array<bool, 256> table{};
  for (int c = '0'; c <= '9'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (int c = 'a'; c <= 'z'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (int c = 'A'; c <= 'Z'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (char c : std::string_view("!#$%&'*+-.^_`|~")) table[static_cast<unsigned char>(c)] = true;
  return table;
}();
constexpr bool is_token(char c) {
  return token_table[static_cast<unsigned char>(c)];
}
constexpr bool is_token(std::string_view text) {
  for (char c : text) {
    if (!is_token(c)) return false;
  }
  return !text.empty();
}

// Field values: tab, space, visible ASCII and bytes above 0x7f; no other control character.
constexpr bool is_value(char c) {
  auto const byte = static_cast<unsigned char>(c);
  return (byte >= 0x20 && byte != 0x7f) || c == '\t';
}

// Request targets: visible ASCII but '#'. Bytes above 0x7f must come percent-encoded.
constexpr bool is_target(char c) {
  return c > 0x20 && c < 0x7f && c != '#';
}

namespace swar {
inline constexpr std::uint64_t ones = 0x0101010101010101u;
inline constexpr std::uint64_t highs = 0x8080808080808080u;

inline std::uint64_t load(char const* at) {
  std::uint64_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}
// The high bit of every byte below n (n <= 0x80); exact for the lowest such byte.
constexpr std::uint64_t below(std::uint64_t word, std::uint8_t n) {
  return (word - ones * n) & ~word & highs;
}
constexpr std::uint64_t equal(std::uint64_t word, std::uint8_t byte) {
  return below(word ^ (ones * byte), 1);
}
constexpr std::size_t lowest(std::uint64_t mask) {
  return static_cast<std::size_t>(std::countr_zero(mask)) / 8;
}
}  // namespace swar

// Each scan returns the place of the first character outside its class, or text.size().
inline std::size_t scan_token(std::string_view text, std::size_t from) {
  while (from < text.size() && is_token(text[from])) ++from;
  return from;
}

inline std::size_t scan_value(std::string_view text, std::size_t from) {
  for (;;) {
    while (text.size() - from >= 8) {
      std::uint64_t const word = swar::load(text.data() + from);
      std::uint64_t const found = swar::below(word, 0x20) | swar::equal(word, 0x7f);
      if (found != 0) {
        from += swar::lowest(found);
        break;
      }
      from += 8;
    }
    if (from < text.size() && is_value(text[from])) {  // a tab, or fewer than eight are left
      ++from;
      continue;
    }
    return from;
  }
}

inline std::size_t scan_target(std::string_view text, std::size_t from) {
  while (text.size() - from >= 8) {
    std::uint64_t const word = swar::load(text.data() + from);
    std::uint64_t const found = swar::below(word, 0x21) | swar::equal(word, 0x7f) |
                                swar::equal(word, '#') | (word & swar::highs);
    if (found != 0) return from + swar::lowest(found);
    from += 8;
  }
  while (from < text.size() && is_target(text[from])) ++from;
  return from;
}

// equal_fold compares ASCII text without case.
inline bool equal_fold(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i] && to_lower(a[i]) != to_lower(b[i])) return false;
  }
  return true;
}

// trim takes spaces and tabs off both ends.
inline std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace vole::http::internal
