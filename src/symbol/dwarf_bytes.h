// SPDX-License-Identifier: Apache-2.0
#pragma once
// A cursor over the bytes of unwind tables. Once it has run past its end it reads zeros and is bad.
// No shared state, no allocation: for signal handlers too.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace vole::symbol {

// Pointer encodings of .eh_frame.
enum : std::uint8_t {
  enc_omit = 0xff,
  enc_size_mask = 0x07,
  enc_udata2 = 0x02,
  enc_udata4 = 0x03,
  enc_udata8 = 0x04,
  enc_signed = 0x08,
  enc_relative_mask = 0x70,
  enc_pcrel = 0x10,
  enc_datarel_sdata4 = 0x3b,
};

class dwarf_bytes {
 public:
  dwarf_bytes() = default;
  dwarf_bytes(unsigned char const* from, unsigned char const* end) : at_(from), end_(end) {}

  bool at_end() const { return at_ >= end_; }
  bool bad() const { return bad_; }
  unsigned char const* at() const { return at_; }
  std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }

  template <class T>
  T fixed() {
    T value{};
    if (left() < sizeof(T)) {
      fail();
      return value;
    }
    std::memcpy(&value, at_, sizeof(T));
    at_ += sizeof(T);
    return value;
  }
  std::uint64_t uleb() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      auto const byte = fixed<std::uint8_t>();
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) break;
    }
    return value;
  }
  std::int64_t sleb() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      auto const byte = fixed<std::uint8_t>();
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) != 0) continue;
      if ((byte & 0x40) != 0 && shift + 7 < 64) value |= ~std::uint64_t{0} << (shift + 7);
      break;
    }
    return static_cast<std::int64_t>(value);
  }
  // pointer reads a value in one of .eh_frame's encodings; relative: whether its base is added.
  std::uint64_t pointer(std::uint8_t encoding, bool relative) {
    auto const base = reinterpret_cast<std::uintptr_t>(at_);
    bool const is_signed = (encoding & enc_signed) != 0;
    std::uint64_t value = 0;
    switch (encoding & enc_size_mask) {
      case 0:  // a whole word
      case enc_udata8:
        value = fixed<std::uint64_t>();
        break;
      case enc_udata2:
        value = is_signed ? static_cast<std::uint64_t>(std::int64_t{fixed<std::int16_t>()})
                          : fixed<std::uint16_t>();
        break;
      case enc_udata4:
        value = is_signed ? static_cast<std::uint64_t>(std::int64_t{fixed<std::int32_t>()})
                          : fixed<std::uint32_t>();
        break;
      default:
        fail();
    }
    std::uint8_t const base_kind = encoding & enc_relative_mask;
    if (relative && base_kind == enc_pcrel) value += base;
    if (relative && base_kind != enc_pcrel && base_kind != 0) fail();
    return value;
  }
  dwarf_bytes take(std::uint64_t size) {
    if (size > left()) {
      fail();
      return {};
    }
    dwarf_bytes const part(at_, at_ + size);
    at_ += size;
    return part;
  }
  std::string_view text() {
    auto const* const from = at_;
    while (fixed<std::uint8_t>() != 0) {
    }
    return {reinterpret_cast<char const*>(from),
            static_cast<std::size_t>(at_ - from - (bad_ ? 0 : 1))};
  }

 private:
  void fail() {
    bad_ = true;
    at_ = end_;
  }

  unsigned char const* at_ = nullptr;
  unsigned char const* end_ = nullptr;
  bool bad_ = false;
};

}  // namespace vole::symbol
