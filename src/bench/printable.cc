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

#include "base/utf8.h"
#include "bench/result.h"

namespace vole::bench {
namespace {

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
    char32_t c = 0;
    std::size_t const length = internal::decode_utf8(name, c);
    if (length == 0) {
      word += "\xef\xbf\xbd";
    } else if (among(blanks, c)) {
      word += '_';
    } else if (among(unprintable, c)) {
      word += escaped(c);
    } else {
      word += name.substr(0, length);
    }
    name.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return word;
}

}  // namespace vole::bench
