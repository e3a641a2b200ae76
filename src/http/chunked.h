// SPDX-License-Identifier: Apache-2.0
// The chunked coding: a decoder that does no I/O, and the few bytes of the encoder. No shared
// state.
//
// Strict: sizes are 1 to 16 hexadecimal digits that fit 63 bits, nothing else before CRLF or ';';
// extensions hold no control character and, over one body, no more than ext_bytes_max; trailers are
// parsed as fields are and may not name framing or routing.
// Source: RFC 9112 section 7.1.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "http/parse.h"

namespace vole::http::internal {

class chunk_decoder {
 public:
  static constexpr std::size_t ext_bytes_max = 4096;

  explicit chunk_decoder(parse_limits const& trailer_limits = {});
  void reset();

  enum class step : std::uint8_t { more, data, done, failed };
  struct piece {
    step what;
    std::size_t consumed;   // of the bytes given
    std::string_view data;  // for step::data the data, for step::done the trailer section; both
                            // inside the consumed bytes
  };

  // next decodes from the front of `in`; the caller drops `consumed` bytes before it calls again.
  // more: `in` holds nothing further that is complete; what is left of it must be given again, with
  // more behind. done: the whole body is over, and trailers() are places in the piece's data.
  [[nodiscard]] piece next(std::string_view in);

  // data_left is how many bytes of the present chunk are still to come: they may be read past the
  // decoder, to be reported by skip_data. 0 outside of a chunk's data.
  std::uint64_t data_left() const { return state_ == state::data ? left_ : 0; }
  void skip_data(std::uint64_t bytes);
  // unread_data puts the end of the data just shown back: it will be given again.
  void unread_data(std::uint64_t bytes);

  std::span<field_place const> trailers() const { return trailer_.fields(); }
  parse_failure const& failure() const { return failure_; }

 private:
  enum class state : std::uint8_t {
    size,
    extension,
    size_end,
    data,
    data_end,
    trailer,
    done,
    failed
  };

  bool take_framing(std::string_view in, std::size_t& at);
  bool take_size(std::string_view in, std::size_t& at);
  bool take_extension(std::string_view in, std::size_t& at);
  bool take_line_end(std::string_view in, std::size_t& at, char const* what);
  bool take_trailer(std::string_view in, std::size_t& at);
  bool fail(int status, char const* what, std::size_t at);

  state state_ = state::size;
  std::uint64_t left_ = 0;
  unsigned digits_ = 0;
  std::size_t ext_bytes_ = 0;
  head_parser trailer_;
  std::string_view trailer_text_;  // set for the piece that reports step::done
  parse_failure failure_;
};

// chunk_head writes "<hex>\r\n" so that it ends at `end` and returns where it begins; it takes at
// most chunk_head_bytes_max bytes.
inline constexpr std::size_t chunk_head_bytes_max = 18;
inline char* chunk_head(char* end, std::uint64_t size) {
  *--end = '\n';
  *--end = '\r';
  do {
    *--end = "0123456789abcdef"[size & 15];
    size >>= 4;
  } while (size != 0);
  return end;
}

}  // namespace vole::http::internal
