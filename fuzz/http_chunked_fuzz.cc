// SPDX-License-Identifier: Apache-2.0
// Fuzz target: the decoder of chunked bodies. The first byte says how the rest is cut.
//
// Property: however the bytes are cut, the data, the end and the failure are the same, and nothing
// behind the end of the body is consumed.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "vole/assert.h"

#include "http/chunked.h"

namespace {

using namespace vole::http::internal;

struct outcome {
  std::string data;
  std::string end;
  std::size_t consumed = 0;
};

outcome decode(std::string_view bytes, std::size_t step) {
  chunk_decoder decoder;
  outcome got;
  std::string pending;
  for (;;) {
    auto const piece = decoder.next(pending);
    VOLE_ASSERT(piece.consumed <= pending.size());
    if (piece.what == chunk_decoder::step::data) got.data += piece.data;
    if (piece.what == chunk_decoder::step::failed) {
      got.end = decoder.failure().what;
      return got;
    }
    got.consumed += piece.consumed;
    if (piece.what == chunk_decoder::step::done) {
      got.end = "done";
      for (field_place const& field : decoder.trailers()) {
        got.end.append(field.name.in(piece.data)).append("=").append(field.value.in(piece.data));
      }
      return got;
    }
    pending.erase(0, piece.consumed);
    if (piece.what == chunk_decoder::step::data) continue;
    if (bytes.empty()) {
      got.consumed = 0;  // how much of an incomplete line is taken depends on the cut
      return got;
    }
    std::size_t const take = std::min(step, bytes.size());
    pending += bytes.substr(0, take);
    bytes.remove_prefix(take);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  if (size == 0) return 0;
  std::string_view const bytes(reinterpret_cast<char const*>(data) + 1, size - 1);
  outcome const whole = decode(bytes, bytes.size() + 1);
  outcome const cut = decode(bytes, std::size_t{1} + data[0]);
  bool const failed = whole.end != "" && !whole.end.starts_with("done");
  VOLE_ASSERT(whole.data == cut.data && whole.end == cut.end, "{} / {}", whole.end, cut.end);
  VOLE_ASSERT(failed || whole.consumed == cut.consumed);
  return 0;
}
