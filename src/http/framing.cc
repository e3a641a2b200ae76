// SPDX-License-Identifier: Apache-2.0
#include "http/framing.h"

#include <limits>

#include "http/scan.h"

namespace vole::http::internal {

namespace {

bool refuse(parse_failure& why, int status, char const* what, std::size_t at) {
  why = {status, what, at};
  return false;
}

// The fields that frame and route, as they stand in one head.
struct known_fields {
  field_place const* content_length = nullptr;
  field_place const* transfer_encoding = nullptr;
  field_place const* host = nullptr;
  field_place const* expect = nullptr;
  bool close = false;
  bool keep_alive = false;
};

// once keeps the first field of a kind that may stand only once.
bool once(field_place const*& kept, field_place const& field, char const* what,
          parse_failure& why) {
  if (kept != nullptr) return refuse(why, 400, what, field.name.at);
  kept = &field;
  return true;
}

bool find_known(head_parser const& parser, std::string_view bytes, known_fields& known,
                parse_failure& why) {
  for (field_place const& field : parser.fields()) {
    std::string_view const name = field.name.in(bytes);
    switch (name.size()) {
      case 4:
        if (equal_fold(name, "host") && !once(known.host, field, "more than one Host", why)) {
          return false;
        }
        break;
      case 6:
        if (equal_fold(name, "expect") && !once(known.expect, field, "more than one Expect", why)) {
          return false;
        }
        break;
      case 10:
        if (equal_fold(name, "connection")) {
          std::string_view const value = field.value.in(bytes);
          known.close = known.close || has_list_token(value, "close");
          known.keep_alive = known.keep_alive || has_list_token(value, "keep-alive");
        }
        break;
      case 14:
        if (equal_fold(name, "content-length") &&
            !once(known.content_length, field, "more than one Content-Length", why)) {
          return false;
        }
        break;
      case 17:
        if (equal_fold(name, "transfer-encoding") &&
            !once(known.transfer_encoding, field, "more than one Transfer-Encoding", why)) {
          return false;
        }
        break;
      default:
        break;
    }
  }
  return true;
}

bool parse_length(std::string_view text, std::uint64_t& length) {
  constexpr auto max = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (text.empty()) return false;
  length = 0;
  for (char c : text) {
    if (!is_digit(c)) return false;
    auto const digit = static_cast<std::uint64_t>(c - '0');
    if (length > (max - digit) / 10) return false;
    length = length * 10 + digit;
  }
  return true;
}

// A list of codings that ends in chunked, all registered, is understood but not implemented (501);
// anything else is an attempt to be read in two ways.
int coding_status(std::string_view value) {
  for (bool last = false; !last;) {
    std::size_t const comma = value.find(',');
    last = comma == std::string_view::npos;
    std::string_view const coding = trim(value.substr(0, comma));
    if (last) return equal_fold(coding, "chunked") ? 501 : 400;
    if (!equal_fold(coding, "gzip") && !equal_fold(coding, "deflate") &&
        !equal_fold(coding, "compress")) {
      return 400;
    }
    value.remove_prefix(comma + 1);
  }
  return 400;
}

bool read_framing(head_parser const& parser, std::string_view bytes, known_fields const& known,
                  head_info& info, parse_failure& why) {
  info.keep_alive = parser.version_minor() == 1 ? !known.close : known.keep_alive && !known.close;
  if (known.transfer_encoding != nullptr) {
    std::string_view const coding = known.transfer_encoding->value.in(bytes);
    std::size_t const at = known.transfer_encoding->name.at;
    if (known.content_length != nullptr) {
      return refuse(why, 400, "both Content-Length and Transfer-Encoding", at);
    }
    if (parser.version_minor() == 0) return refuse(why, 400, "Transfer-Encoding in HTTP/1.0", at);
    if (!equal_fold(coding, "chunked")) {
      return refuse(why, coding_status(coding), "Transfer-Encoding is not \"chunked\"", at);
    }
    info.body = body_kind::chunked;
  } else if (known.content_length != nullptr) {
    if (!parse_length(known.content_length->value.in(bytes), info.length)) {
      return refuse(why, 400, "Content-Length is not a number", known.content_length->name.at);
    }
    info.has_length = true;
    info.body = info.length == 0 ? body_kind::none : body_kind::length;
  }
  return true;
}

void split_path(std::string_view target, head_info& info) {
  std::size_t const mark = target.find('?');
  info.raw_path = target.substr(0, mark);
  if (mark != std::string_view::npos) info.raw_query = target.substr(mark + 1);
}

// Source: RFC 9112 section 3.2: the four forms of a target.
bool read_target(std::string_view method, text_place place, std::string_view bytes, head_info& info,
                 parse_failure& why) {
  std::string_view const target = place.in(bytes);
  bool const connect = method == "CONNECT";
  if (target.front() == '/' && !connect) {
    split_path(target, info);
    return true;
  }
  if (connect) {
    if (!valid_host(target) || target.find(':') == std::string_view::npos) {
      return refuse(why, 400, "CONNECT needs host:port", place.at);
    }
    info.host = target;
    return true;
  }
  if (target == "*") {
    if (method != "OPTIONS") return refuse(why, 400, "\"*\" is for OPTIONS only", place.at);
    info.raw_path = target;
    return true;
  }
  std::size_t const scheme = target.find("://");
  std::string_view const name = target.substr(0, scheme);
  if (scheme == std::string_view::npos ||
      (!equal_fold(name, "http") && !equal_fold(name, "https"))) {
    return refuse(why, 400, "request target is neither a path nor an http URL", place.at);
  }
  std::string_view const rest = target.substr(scheme + 3);
  std::size_t const end = rest.find_first_of("/?");
  info.host = rest.substr(0, end);
  if (info.host.empty() || !valid_host(info.host)) {
    return refuse(why, 400, "malformed host in the request target", place.at);
  }
  split_path(end == std::string_view::npos ? std::string_view() : rest.substr(end), info);
  if (info.raw_path.empty()) info.raw_path = "/";
  return true;
}

}  // namespace

bool has_list_token(std::string_view list, std::string_view token) {
  for (;;) {
    std::size_t const comma = list.find(',');
    if (equal_fold(trim(list.substr(0, comma)), token)) return true;
    if (comma == std::string_view::npos) return false;
    list.remove_prefix(comma + 1);
  }
}

bool valid_host(std::string_view host) {
  std::string_view port;
  bool has_port = false;
  std::string_view name = host;
  if (!host.empty() && host.front() == '[') {
    std::size_t const end = host.find(']');
    if (end == std::string_view::npos || end == 1) return false;
    name = host.substr(1, end - 1);
    std::string_view const rest = host.substr(end + 1);
    if (!rest.empty() && rest.front() != ':') return false;
    has_port = !rest.empty();
    if (has_port) port = rest.substr(1);
    for (char c : name) {
      if (hex_value(c) < 0 && c != ':' && c != '.') return false;
    }
  } else {
    std::size_t const colon = host.find(':');
    has_port = colon != std::string_view::npos;
    name = host.substr(0, colon);
    if (has_port) port = host.substr(colon + 1);
    if (has_port && name.empty()) return false;
    for (char c : name) {
      bool const mark = std::string_view("-._~!$&'()*+,;=%").find(c) != std::string_view::npos;
      if (!is_alpha(c) && !is_digit(c) && !mark) return false;
    }
  }
  if (port.size() > 5) return false;
  for (char c : port) {
    if (!is_digit(c)) return false;
  }
  return true;
}

bool read_request_head(head_parser const& parser, std::string_view bytes, head_info& info,
                       parse_failure& why) {
  info = {};
  known_fields known;
  if (!find_known(parser, bytes, known, why)) return false;
  std::string_view const method = parser.method().in(bytes);
  if (!read_target(method, parser.target(), bytes, info, why)) return false;
  if (known.host != nullptr) {
    std::string_view const host = known.host->value.in(bytes);
    if (!valid_host(host)) return refuse(why, 400, "malformed Host", known.host->name.at);
    if (info.host.empty()) info.host = host;  // an absolute target overrides the field
  } else if (parser.version_minor() == 1) {
    return refuse(why, 400, "HTTP/1.1 request without Host", 0);
  }
  if (known.expect != nullptr && parser.version_minor() == 1) {
    if (!equal_fold(known.expect->value.in(bytes), "100-continue")) {
      return refuse(why, 417, "Expect is not \"100-continue\"", known.expect->name.at);
    }
    info.expect_continue = true;
  }
  if (!read_framing(parser, bytes, known, info, why)) return false;
  if (info.body == body_kind::none) info.expect_continue = false;
  return true;
}

bool read_response_head(head_parser const& parser, std::string_view bytes,
                        std::string_view request_method, head_info& info, parse_failure& why) {
  info = {};
  known_fields known;
  if (!find_known(parser, bytes, known, why)) return false;
  bool const bodyless = request_method == "HEAD" || !status_has_body(parser.status());
  if (!read_framing(parser, bytes, known, info, why)) return false;
  if (bodyless) {
    info.body = body_kind::none;
  } else if (info.body == body_kind::none && !info.has_length) {
    info.body = body_kind::until_close;
    info.keep_alive = false;
  }
  return true;
}

}  // namespace vole::http::internal
