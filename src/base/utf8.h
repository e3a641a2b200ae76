// SPDX-License-Identifier: Apache-2.0
// UTF-8 as the Unicode standard's table 3-7 has it: shortest forms only, no surrogates. No shared
// state.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace vole::internal {

// utf8_sequence is the length of the well-formed sequence at the front of text, 1 to 4; 0:
// ill-formed.
inline std::size_t utf8_sequence(std::string_view text) noexcept {
  auto const at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  auto const follows = [&](std::size_t i, unsigned low, unsigned high) {
    return i < text.size() && at(i) >= low && at(i) <= high;
  };
  if (text.empty()) return 0;
  unsigned const lead = at(0);
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  if (lead < 0xe0) return follows(1, 0x80, 0xbf) ? 2 : 0;
  if (lead < 0xf0) {
    unsigned const low = lead == 0xe0 ? 0xa0 : 0x80;
    unsigned const high = lead == 0xed ? 0x9f : 0xbf;
    return follows(1, low, high) && follows(2, 0x80, 0xbf) ? 3 : 0;
  }
  unsigned const low = lead == 0xf0 ? 0x90 : 0x80;
  unsigned const high = lead == 0xf4 ? 0x8f : 0xbf;
  return follows(1, low, high) && follows(2, 0x80, 0xbf) && follows(3, 0x80, 0xbf) ? 4 : 0;
}

// decode_utf8 reads the first character of text, which is not empty: its length, and 0 for a byte
// that begins no well-formed sequence.
inline std::size_t decode_utf8(std::string_view text, char32_t& code) noexcept {
  std::size_t const length = utf8_sequence(text);
  auto const byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  code = length == 1 ? byte(0) : byte(0) & (0x7fU >> length);
  for (std::size_t i = 1; i < length; ++i) code = code << 6 | (byte(i) & 0x3fU);
  return length;
}

// first_bad_utf8 is where text stops being UTF-8; npos: nowhere.
inline std::size_t first_bad_utf8(std::string_view text) noexcept {
  for (std::size_t i = 0; i < text.size();) {
    std::size_t const length = utf8_sequence(text.substr(i));
    if (length == 0) return i;
    i += length;
  }
  return std::string_view::npos;
}

// replace_bad_utf8 returns text with U+FFFD for each byte that is not UTF-8; nothing: it has none.
inline std::optional<std::string> replace_bad_utf8(std::string_view text) {
  std::size_t bad = first_bad_utf8(text);
  if (bad == std::string_view::npos) return std::nullopt;
  std::string good;
  for (; bad != std::string_view::npos; bad = first_bad_utf8(text)) {
    good.append(text.substr(0, bad)).append("\xef\xbf\xbd");
    text.remove_prefix(bad + 1);
  }
  return good.append(text);
}

}  // namespace vole::internal
