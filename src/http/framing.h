// SPDX-License-Identifier: Apache-2.0
// What a parsed head means: where its body ends, whether the connection lives on, whom it is for.
// No shared state.
//
// How a body is delimited is decided here and nowhere else, and whatever two readers might take
// differently is refused: both Content-Length and Transfer-Encoding, more than one of either,
// a Content-Length that is not digits alone, a Transfer-Encoding that is not exactly "chunked".
// Source: RFC 9112 sections 3.2, 6 and 9; RFC 9110 sections 7.2, 8.6 and 10.1.1.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "http/parse.h"

namespace vole::http::internal {

enum class body_kind : std::uint8_t { none, length, chunked, until_close };

struct head_info {
  body_kind body = body_kind::none;
  std::uint64_t length = 0;  // for body_kind::length; never 0 there in a request
  bool has_length = false;   // a Content-Length was given
  bool keep_alive = true;
  bool expect_continue = false;
  std::string_view host;       // Host, or the authority of an absolute target
  std::string_view raw_path;   // "*" for OPTIONS *, "" for CONNECT
  std::string_view raw_query;  // without '?'
};

// Each reads the head that `parser` has found in `bytes` into `info`, whose views point into
// `bytes`; false: `why` says what is wrong with it.
[[nodiscard]] bool read_request_head(head_parser const& parser, std::string_view bytes,
                                     head_info& info, parse_failure& why);
[[nodiscard]] bool read_response_head(head_parser const& parser, std::string_view bytes,
                                      std::string_view request_method, head_info& info,
                                      parse_failure& why);

// has_list_token says whether a comma-separated list holds a token, without case.
bool has_list_token(std::string_view list, std::string_view token);

// valid_host: what may stand in a Host field: a name or address with an optional port.
bool valid_host(std::string_view host);

// status_has_body: false for 1xx, 204 and 304.
constexpr bool status_has_body(int status) {
  return status >= 200 && status != 204 && status != 304;
}

}  // namespace vole::http::internal
