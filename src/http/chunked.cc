// SPDX-License-Identifier: Apache-2.0
#include "http/chunked.h"

#include <algorithm>
#include <utility>

#include "vole/assert.h"

#include "http/scan.h"

namespace vole::http::internal {

namespace {

constexpr unsigned size_digits_max = 16;

// Fields that frame or route a message, or that a receiver has acted on before the trailers come.
bool forbidden_trailer(std::string_view name) {
  constexpr std::string_view forbidden[] = {
      "transfer-encoding", "content-length", "host",          "connection", "trailer",
      "content-encoding",  "content-type",   "authorization", "te",         "upgrade",
      "content-range",     "expect",         "set-cookie",    "cookie",     "keep-alive"};
  return std::ranges::any_of(forbidden, [&](auto other) { return equal_fold(name, other); });
}

}  // namespace

chunk_decoder::chunk_decoder(parse_limits const& trailer_limits)
    : trailer_(head_kind::trailer, trailer_limits) {}

void chunk_decoder::reset() {
  state_ = state::size;
  left_ = 0;
  digits_ = 0;
  ext_bytes_ = 0;
  trailer_.reset();
  failure_ = {};
}

bool chunk_decoder::fail(int status, char const* what, std::size_t at) {
  failure_ = {status, what, at};
  state_ = state::failed;
  return false;
}

chunk_decoder::piece chunk_decoder::next(std::string_view in) {
  std::size_t at = 0;
  while (state_ != state::data || left_ == 0) {
    if (state_ == state::done) return {step::done, at, std::exchange(trailer_text_, {})};
    if (!take_framing(in, at)) {
      return {state_ == state::failed ? step::failed : step::more, at, {}};
    }
  }
  if (at == in.size()) return {step::more, at, {}};
  auto const size = static_cast<std::size_t>(std::min<std::uint64_t>(left_, in.size() - at));
  std::string_view const data = in.substr(at, size);
  skip_data(size);
  return {step::data, at + size, data};
}

void chunk_decoder::skip_data(std::uint64_t bytes) {
  VOLE_ASSERT(state_ == state::data && bytes <= left_, "{} of {} bytes", bytes, left_);
  left_ -= bytes;
  if (left_ == 0) state_ = state::data_end;
}

void chunk_decoder::unread_data(std::uint64_t bytes) {
  if (bytes == 0) return;
  VOLE_ASSERT(state_ == state::data || state_ == state::data_end, "no data was shown");
  left_ += bytes;
  state_ = state::data;
}

// take_framing makes one step over what is not data; false: more bytes are needed, or it failed.
bool chunk_decoder::take_framing(std::string_view in, std::size_t& at) {
  switch (state_) {
    case state::size:
      return take_size(in, at);
    case state::extension:
      return take_extension(in, at);
    case state::size_end:
      if (!take_line_end(in, at, "chunk size is not followed by CRLF")) return false;
      digits_ = 0;
      state_ = left_ == 0 ? state::trailer : state::data;
      return true;
    case state::data_end:
      if (!take_line_end(in, at, "chunk data is not followed by CRLF")) return false;
      state_ = state::size;
      return true;
    case state::trailer:
      return take_trailer(in, at);
    case state::data:
    case state::done:
    case state::failed:
      break;
  }
  return false;
}

bool chunk_decoder::take_size(std::string_view in, std::size_t& at) {
  for (; at < in.size(); ++at) {
    int const digit = hex_value(in[at]);
    if (digit < 0) break;
    if (++digits_ > size_digits_max || left_ >> 59 != 0) {
      return fail(400, "chunk size too large", at);
    }
    left_ = left_ << 4 | static_cast<std::uint64_t>(digit);
  }
  if (at == in.size()) return false;
  if (digits_ == 0) return fail(400, "chunk size is not a hexadecimal number", at);
  if (in[at] == ';') {
    state_ = state::extension;
  } else if (in[at] == '\r') {
    state_ = state::size_end;
  } else {
    return fail(400, "chunk size is not followed by CRLF", at);
  }
  return true;
}

bool chunk_decoder::take_extension(std::string_view in, std::size_t& at) {
  std::size_t const end = scan_value(in, at);
  ext_bytes_ += end - at;
  at = end;
  if (ext_bytes_ > ext_bytes_max) return fail(400, "chunk extensions too large", at);
  if (at == in.size()) return false;
  if (in[at] != '\r') return fail(400, "control character in a chunk extension", at);
  state_ = state::size_end;
  return true;
}

bool chunk_decoder::take_line_end(std::string_view in, std::size_t& at, char const* what) {
  if (at < in.size() && in[at] != '\r') return fail(400, what, at);
  if (in.size() - at < 2) return false;
  if (in[at + 1] != '\n') return fail(400, what, at + 1);
  at += 2;
  return true;
}

bool chunk_decoder::take_trailer(std::string_view in, std::size_t& at) {
  std::string_view const section = in.substr(at);
  switch (trailer_.parse(section)) {
    case parse_state::more:
      return false;
    case parse_state::failed:
      failure_ = trailer_.failure();
      state_ = state::failed;
      return false;
    case parse_state::done:
      break;
  }
  for (auto const& field : trailer_.fields()) {
    if (forbidden_trailer(field.name.in(section))) {
      return fail(400, "field that a trailer must not hold", at + field.name.at);
    }
  }
  trailer_text_ = section.substr(0, trailer_.size());
  at += trailer_.size();
  state_ = state::done;
  return true;
}

}  // namespace vole::http::internal
