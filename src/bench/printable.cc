// SPDX-License-Identifier: Apache-2.0
//
// Names of sub-benchmarks, as Go prints them. No shared state.
// Source: Go testing/match.go, rewrite; strconv.IsPrint and QuoteRune for what they do. Differs:
//   characters that Unicode has not assigned stay as they are.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "vole/internal/format.h"

#include "bench/result.h"

namespace vole::bench {
namespace {

constexpr char32_t replacement = 0xfffd;

struct range {
  char32_t first;
  char32_t last;
};

constexpr range blanks[] = {
    {'\t', '\r'},     {' ', ' '},       {0x85, 0x85},     {0xa0, 0xa0},     {0x1680, 0x1680},
    {0x2000, 0x200a}, {0x2028, 0x2029}, {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000},
};

// Unicode's categories Cc, Cf, Co, and the code points that never are characters.
constexpr range unprintable[] = {
    {0x00, 0x1f},        {0x7f, 0x9f},       {0xad, 0xad},       {0x600, 0x605},
    {0x61c, 0x61c},      {0x6dd, 0x6dd},     {0x70f, 0x70f},     {0x890, 0x891},
    {0x8e2, 0x8e2},      {0x180e, 0x180e},   {0x200b, 0x200f},   {0x202a, 0x202e},
    {0x2060, 0x206f},    {0xe000, 0xf8ff},   {0xfdd0, 0xfdef},   {0xfeff, 0xfeff},
    {0xfff0, 0xfffb},    {0xfffe, 0xffff},   {0x110bd, 0x110bd}, {0x110cd, 0x110cd},
    {0x13430, 0x1343f},  {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xe00ff},
    {0xf0000, 0x10ffff},
};

template <std::size_t Count>
bool among(range const (&ranges)[Count], char32_t c) {
  return std::ranges::any_of(ranges, [&](range const& r) { return c >= r.first && c <= r.last; });
}

// take_character takes the first one off the text; a byte that begins none is the replacement.
char32_t take_character(std::string_view& text) {
  auto const byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned const first = byte(0);
  std::size_t const length = first < 0x80   ? 1
                             : first < 0xc2 ? 0
                             : first < 0xe0 ? 2
                             : first < 0xf0 ? 3
                             : first < 0xf5 ? 4
                                            : 0;
  char32_t c = length <= 1 ? first : first & (0x7fU >> length);
  bool good = length > 0 && length <= text.size();
  for (std::size_t i = 1; good && i < length; ++i) {
    good = (byte(i) & 0xc0U) == 0x80;
    c = c << 6 | (byte(i) & 0x3fU);
  }
  bool const shortest = length < 3 || c >= (length == 3 ? 0x800 : 0x10000);
  good = good && shortest && c <= 0x10ffff && !(c >= 0xd800 && c <= 0xdfff);
  text.remove_prefix(good ? length : 1);
  return good ? c : replacement;
}

void put_utf8(std::string& to, char32_t c) {
  auto const tail = [&](int shift) { to += static_cast<char>(0x80 | (c >> shift & 0x3f)); };
  if (c < 0x80) {
    to += static_cast<char>(c);
  } else if (c < 0x800) {
    to += static_cast<char>(0xc0 | c >> 6);
    tail(0);
  } else if (c < 0x10000) {
    to += static_cast<char>(0xe0 | c >> 12);
    tail(6);
    tail(0);
  } else {
    to += static_cast<char>(0xf0 | c >> 18);
    tail(12);
    tail(6);
    tail(0);
  }
}

std::string escaped(char32_t c) {
  auto const number = static_cast<std::uint32_t>(c);
  if (c == '\a') return "\\a";
  if (c == '\b') return "\\b";
  if (c < ' ' || c == 0x7f) return fmt::format("\\x{:02x}", number);
  return c < 0x10000 ? fmt::format("\\u{:04x}", number) : fmt::format("\\U{:08x}", number);
}

}  // namespace

std::string printable(std::string_view name) {
  std::string word;
  while (!name.empty()) {
    char32_t const c = take_character(name);
    if (among(blanks, c)) {
      word += '_';
    } else if (among(unprintable, c)) {
      word += escaped(c);
    } else {
      put_utf8(word, c);
    }
  }
  return word;
}

}  // namespace vole::bench
