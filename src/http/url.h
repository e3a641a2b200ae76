// SPDX-License-Identifier: Apache-2.0
// URLs: percent-coding, clean paths, absolute URLs of the client. No shared state.
// Source: RFC 3986; WHATWG URL for form-decoded queries ('+' is a space).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "vole/internal/text_arena.h"
#include "vole/result.h"

namespace vole::http::internal {

// decode_path decodes %xx once; without a '%' it is the text itself. nullopt: a malformed escape,
// or one for NUL.
std::optional<std::string_view> decode_path(std::string_view text, vole::internal::text_arena& to);

// decode_segment is decode_path into a string; a malformed escape stays as it is.
std::string decode_segment(std::string_view text);

// decode_query decodes %xx and '+'; nullopt: a malformed escape.
std::optional<std::string> decode_query(std::string_view text);

// escape_location percent-encodes what no URL may hold (controls, space, quotes, bytes above 0x7e);
// everything else stays.
std::string escape_location(std::string_view text);

// is_clean_path: starts with '/', no empty, "." or ".." segment (but for an empty last one).
bool is_clean_path(std::string_view path);
// clean_path removes empty and "." segments, resolves ".." and keeps a slash at the end.
std::string clean_path(std::string_view path);

// absolute_url is what a client connects to and asks for.
struct absolute_url {
  std::string scheme;     // "http"
  std::string authority;  // for Host: "example.com:8080", "[::1]:8080"; the port only if given
  std::string address;    // to dial: "example.com:8080", "[::1]:8080"; always with a port
  std::string target;     // "/path?query"
  std::string text() const { return scheme + "://" + authority + target; }
};

// parse_url reads "http://host[:port][/path][?query][#fragment]"; the fragment is dropped.
// Errors: `url "ftp://x": unsupported scheme "ftp"`, and the like.
result<absolute_url> parse_url(std::string_view text);

// resolve_url is the URL that `reference`, found at `base`, means: a Location.
result<absolute_url> resolve_url(absolute_url const& base, std::string_view reference);

}  // namespace vole::http::internal
