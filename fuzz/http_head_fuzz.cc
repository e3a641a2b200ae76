// SPDX-License-Identifier: Apache-2.0
// Fuzz target: the head parser and the meaning of heads. The first byte says how the rest is cut
// and whether it is a request or a response.
//
// Properties: however the bytes are cut, the result is the same; every place lies inside the head;
// nothing accepted could be read in two ways; an accepted head, written again from its parts, is
// accepted with the same parts.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "vole/assert.h"

#include "http/framing.h"
#include "http/parse.h"
#include "http/scan.h"

namespace {

using namespace vole::http::internal;

struct outcome {
  parse_state state = parse_state::more;
  int status = 0;
  std::string text;  // what was understood
};

std::string describe(head_parser const& parser, std::string_view bytes) {
  std::string text(parser.method().in(bytes));
  text.append(" ").append(parser.target().in(bytes)).append(" ");
  text += static_cast<char>('0' + parser.version_minor());
  text.append(" ").append(std::to_string(parser.status())).append(parser.reason().in(bytes));
  for (field_place const& field : parser.fields()) {
    text.append("|").append(field.name.in(bytes)).append(":").append(field.value.in(bytes));
  }
  return text;
}

outcome parse(head_kind kind, std::string_view bytes, std::size_t step) {
  head_parser parser(kind);
  outcome got;
  for (std::size_t seen = 0; got.state == parse_state::more && seen < bytes.size();) {
    seen = std::min(bytes.size(), seen + step);
    std::string const moved(bytes.substr(0, seen));  // the parser may not keep addresses
    got.state = parser.parse(moved);
    if (got.state == parse_state::done) {
      got.text = describe(parser, moved) + std::to_string(parser.size());
    } else if (got.state == parse_state::failed) {
      got.status = parser.failure().status;
      got.text = parser.failure().what;
    }
  }
  return got;
}

void check_fields(head_parser const& parser, std::string_view bytes) {
  int lengths = 0;
  int codings = 0;
  for (field_place const& field : parser.fields()) {
    std::string_view const name = field.name.in(bytes);
    std::string_view const value = field.value.in(bytes);
    VOLE_ASSERT(is_token(name));
    VOLE_ASSERT(value.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos);
    lengths += equal_fold(name, "content-length") ? 1 : 0;
    codings += equal_fold(name, "transfer-encoding") ? 1 : 0;
  }
  head_info info;
  parse_failure why;
  bool const request = !parser.method().in(bytes).empty();
  bool const understood = request ? read_request_head(parser, bytes, info, why)
                                  : read_response_head(parser, bytes, "GET", info, why);
  if (understood) VOLE_ASSERT(lengths + codings <= 1, "{} and {}", lengths, codings);
}

void check_round_trip(head_kind kind, head_parser const& parser, std::string_view bytes) {
  std::string again;
  if (kind == head_kind::request) {
    again.append(parser.method().in(bytes)).append(" ").append(parser.target().in(bytes));
    again.append(" HTTP/1.").append(std::to_string(parser.version_minor())).append("\r\n");
  } else {
    again.append("HTTP/1.").append(std::to_string(parser.version_minor())).append(" ");
    again.append(std::to_string(parser.status())).append(" ").append(parser.reason().in(bytes));
    again.append("\r\n");
  }
  for (field_place const& field : parser.fields()) {
    again.append(field.name.in(bytes)).append(": ").append(field.value.in(bytes)).append("\r\n");
  }
  again.append("\r\n");
  head_parser second(kind, {16 * 1024, 128 * 1024, 100});
  VOLE_ASSERT(second.parse(again) == parse_state::done);
  VOLE_ASSERT(describe(second, again) == describe(parser, bytes));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  if (size == 0) return 0;
  head_kind const kind = (data[0] & 1) == 0 ? head_kind::request : head_kind::response;
  std::size_t const step = 1 + (data[0] >> 1);
  std::string_view const bytes(reinterpret_cast<char const*>(data) + 1, size - 1);
  outcome const whole = parse(kind, bytes, bytes.size() + 1);
  outcome const cut = parse(kind, bytes, step);
  VOLE_ASSERT(whole.state == cut.state && whole.status == cut.status && whole.text == cut.text,
              "{} / {}", whole.text, cut.text);
  if (whole.state != parse_state::done) return 0;
  head_parser parser(kind);
  static_cast<void>(parser.parse(bytes));
  check_fields(parser, bytes);
  check_round_trip(kind, parser, bytes);
  return 0;
}
