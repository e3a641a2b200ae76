// SPDX-License-Identifier: Apache-2.0
#include "http/url.h"

#include <algorithm>
#include <vector>

#include "vole/errors.h"
#include "vole/http/message.h"

#include "http/framing.h"
#include "http/scan.h"

namespace vole::http::internal {

namespace {

// escape_at reads the %xx at text[at]; -1 when it is malformed.
int escape_at(std::string_view text, std::size_t at) {
  if (text.size() - at < 3) return -1;
  int const high = hex_value(text[at + 1]);
  int const low = hex_value(text[at + 2]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

void append_escaped(std::string& to, char c) {
  auto const byte = static_cast<unsigned char>(c);
  to += '%';
  to += "0123456789ABCDEF"[byte >> 4];
  to += "0123456789ABCDEF"[byte & 15];
}

// resolve_dots joins the segments of a path after "." and ".." have been resolved; the last one has
// no slash behind it.
std::string resolve_dots(std::string_view path, bool keep_empty) {
  std::vector<std::string_view> kept;
  for (std::size_t at = path.starts_with('/') ? 1 : 0; at <= path.size();) {
    std::size_t const end = std::min(path.find('/', at), path.size());
    std::string_view const segment = path.substr(at, end - at);
    bool const inner_empty = segment.empty() && end < path.size();
    if (segment == "..") {
      if (!kept.empty()) kept.pop_back();
    } else if (segment != "." && (!segment.empty() || (keep_empty && inner_empty))) {
      kept.push_back(segment);
    }
    at = end + 1;
  }
  std::string out;
  for (std::string_view const segment : kept) {
    out += '/';
    out += segment;
  }
  return out;
}

}  // namespace

std::optional<std::string_view> decode_path(std::string_view text, vole::internal::text_arena& to) {
  std::size_t at = text.find('%');
  if (at == std::string_view::npos) return text;
  char* const out = to.allocate(text.size());
  std::copy_n(text.data(), at, out);
  std::size_t size = at;
  while (at < text.size()) {
    if (text[at] != '%') {
      out[size++] = text[at++];
      continue;
    }
    int const byte = escape_at(text, at);
    if (byte <= 0) return std::nullopt;
    out[size++] = static_cast<char>(byte);
    at += 3;
  }
  return std::string_view(out, size);
}

std::string decode_segment(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    int const byte = text[at] == '%' ? escape_at(text, at) : -1;
    out += byte < 0 ? text[at] : static_cast<char>(byte);
    if (byte >= 0) at += 2;
  }
  return out;
}

std::optional<std::string> decode_query(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '+') {
      out += ' ';
    } else if (text[at] == '%') {
      int const byte = escape_at(text, at);
      if (byte < 0) return std::nullopt;
      out += static_cast<char>(byte);
      at += 2;
    } else {
      out += text[at];
    }
  }
  return out;
}

std::string escape_location(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (char c : text) {
    bool const plain =
        c > 0x20 && c < 0x7f && std::string_view("\"<>\\^`{|}").find(c) == std::string_view::npos;
    if (plain) {
      out += c;
    } else {
      append_escaped(out, c);
    }
  }
  return out;
}

bool is_clean_path(std::string_view path) {
  if (path.empty() || path.front() != '/') return false;
  while (!path.empty()) {
    path.remove_prefix(1);  // the slash
    std::string_view const segment = path.substr(0, path.find('/'));
    path.remove_prefix(segment.size());
    if (segment == "." || segment == ".." || (segment.empty() && !path.empty())) return false;
  }
  return true;
}

std::string clean_path(std::string_view path) {
  std::string out = resolve_dots(path, false);
  if (out.empty() || path.ends_with('/')) out += '/';
  return out;
}

result<absolute_url> parse_url(std::string_view text) {
  std::size_t const scheme_end = text.find("://");
  if (scheme_end == std::string_view::npos) {
    return errors::make("url \"{}\": not absolute: no scheme", text);
  }
  absolute_url url;
  for (char c : text.substr(0, scheme_end)) url.scheme += to_lower(c);
  if (url.scheme != "http") {
    return errors::make("url \"{}\": unsupported scheme \"{}\"", text, url.scheme);
  }
  std::string_view rest = text.substr(scheme_end + 3);
  rest = rest.substr(0, rest.find('#'));
  std::size_t const host_end = std::min(rest.find_first_of("/?"), rest.size());
  url.authority = rest.substr(0, host_end);
  if (url.authority.find('@') != std::string::npos) {
    return errors::make("url: credentials in a URL are not supported");
  }
  if (url.authority.empty() || !valid_host(url.authority)) {
    return errors::make("url \"{}\": malformed host \"{}\"", text, url.authority);
  }
  if (url.authority.back() == ':') url.authority.pop_back();  // "host:" is the default port
  std::size_t const name_end = url.authority.front() == '[' ? url.authority.find(']') : 0;
  bool const has_port = url.authority.find(':', name_end) != std::string::npos;
  url.address = has_port ? url.authority : url.authority + ":80";
  url.target = rest.substr(host_end);
  if (url.target.empty() || url.target.front() == '?') url.target.insert(0, "/");
  if (scan_target(url.target, 0) != url.target.size()) {
    return errors::make("url \"{}\": byte in the path or query that must be percent-encoded", text);
  }
  return url;
}

result<absolute_url> resolve_url(absolute_url const& base, std::string_view reference) {
  reference = reference.substr(0, reference.find('#'));
  std::size_t const colon = reference.find(':');
  if (colon != std::string_view::npos && colon < reference.find_first_of("/?")) {
    return parse_url(reference);
  }
  if (reference.starts_with("//")) return parse_url(base.scheme + ":" + std::string(reference));
  absolute_url url = base;
  std::string_view const base_path = std::string_view(base.target).substr(0, base.target.find('?'));
  if (reference.empty()) {
    url.target = base.target;
  } else if (reference.front() == '?') {
    url.target = std::string(base_path) + std::string(reference);
  } else {
    std::string_view const path = reference.substr(0, reference.find('?'));
    std::string_view const query = reference.substr(path.size());
    std::string joined;
    if (path.front() != '/') joined = base_path.substr(0, base_path.rfind('/') + 1);
    joined += path;
    url.target = resolve_dots(joined, true);
    if (url.target.empty() || joined.ends_with('/') || joined.ends_with("/.") ||
        joined.ends_with("/..")) {
      url.target += '/';
    }
    url.target += query;
  }
  if (scan_target(url.target, 0) != url.target.size()) {
    return errors::make("url \"{}\": byte that must be percent-encoded", reference);
  }
  return url;
}

}  // namespace vole::http::internal

namespace vole::http {

namespace {

// each_query calls fn(name, value), both undecoded, until it returns false.
template <class Fn>
void each_query(std::string_view query, Fn&& fn) {
  while (!query.empty()) {
    std::string_view const pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    if (pair.empty() || pair.find(';') != std::string_view::npos) continue;
    std::size_t const equals = std::min(pair.find('='), pair.size());
    std::string_view const value =
        equals == pair.size() ? std::string_view() : pair.substr(equals + 1);
    if (!fn(pair.substr(0, equals), value)) return;
  }
}

}  // namespace

std::optional<std::string> url::query(std::string_view name) const {
  std::optional<std::string> found;
  each_query(raw_query_, [&](std::string_view raw_name, std::string_view raw_value) {
    if (raw_name != name) {
      if (raw_name.find_first_of("%+") == std::string_view::npos) return true;
      if (internal::decode_query(raw_name) != name) return true;
    }
    found = internal::decode_query(raw_value);
    return !found.has_value();
  });
  return found;
}

result<std::vector<std::string>> url::query_all(std::string_view name) const {
  if (raw_query_.find(';') != std::string_view::npos) {
    return errors::make("the query has a ';', which must be written as %3B");
  }
  std::vector<std::string> all;
  bool malformed = false;
  each_query(raw_query_, [&](std::string_view raw_name, std::string_view raw_value) {
    auto const decoded = internal::decode_query(raw_name);
    auto value = internal::decode_query(raw_value);
    malformed = !decoded || !value;
    if (!malformed && *decoded == name) all.push_back(*std::move(value));
    return !malformed;
  });
  if (malformed) return errors::make("the query has a '%' that no two hexadecimal digits follow");
  return all;
}

std::vector<std::pair<std::string, std::string>> url::queries() const {
  std::vector<std::pair<std::string, std::string>> all;
  each_query(raw_query_, [&](std::string_view raw_name, std::string_view raw_value) {
    auto name = internal::decode_query(raw_name);
    auto value = internal::decode_query(raw_value);
    if (name && value) all.emplace_back(std::move(*name), std::move(*value));
    return true;
  });
  return all;
}

}  // namespace vole::http
