// SPDX-License-Identifier: Apache-2.0
#include "http/pattern.h"

#include <algorithm>

#include "http/scan.h"
#include "http/url.h"

namespace vole::http::internal {

namespace {

using kind = pattern_segment::kind;

bool valid_wildcard_name(std::string_view name) {
  if (name.empty() || is_digit(name.front())) return false;
  return std::ranges::all_of(name, [](char c) {
    return is_alpha(c) || is_digit(c) || c == '_' || static_cast<unsigned char>(c) >= 0x80;
  });
}

error bad_pattern(std::string_view text, std::string_view what) {
  return errors::make("pattern \"{}\": {}", text, what);
}

// parse_wildcard reads "{...}" into `out`; `last`: nothing follows it.
error parse_wildcard(std::string_view text, std::string_view segment, bool last, pattern& out) {
  if (segment.front() != '{' || segment.back() != '}') {
    return bad_pattern(text, "a wildcard must be a whole segment");
  }
  std::string_view name = segment.substr(1, segment.size() - 2);
  if (name == "$") {
    if (!last) return bad_pattern(text, "{$} is not at the end");
    out.segments.push_back({kind::end, ""});
    return nullptr;
  }
  bool const rest = name.ends_with("...");
  if (rest) name.remove_suffix(3);
  if (rest && !last) return bad_pattern(text, "{...} is not at the end");
  if (!valid_wildcard_name(name)) {
    return errors::make("pattern \"{}\": bad wildcard name \"{}\"", text, name);
  }
  for (auto const& other : out.segments) {
    if (other.what != kind::literal && other.text == name) {
      return errors::make("pattern \"{}\": duplicate wildcard \"{}\"", text, name);
    }
  }
  out.segments.push_back({rest ? kind::rest : kind::single, std::string(name)});
  return nullptr;
}

error parse_path(std::string_view text, std::string_view path, pattern& out) {
  while (!path.empty()) {
    path.remove_prefix(1);  // the slash
    std::string_view const segment = path.substr(0, path.find('/'));
    path.remove_prefix(segment.size());
    if (segment.empty() && path.empty()) {
      out.segments.push_back({kind::rest, ""});
    } else if (segment.find_first_of("{}") == std::string_view::npos) {
      out.segments.push_back({kind::literal, decode_segment(segment)});
    } else if (error err = parse_wildcard(text, segment, path.empty(), out)) {
      return err;
    }
  }
  return nullptr;
}

// combine is the relation of two products of sets, from the relations of their factors.
relation combine(relation a, relation b) {
  if (a == relation::disjoint || b == relation::disjoint) return relation::disjoint;
  if (a == relation::equal || a == b) return b;
  if (b == relation::equal) return a;
  return relation::overlapping;
}

relation compare_segments(pattern_segment const& a, pattern_segment const& b) {
  if (a.what == b.what) {
    bool const same = a.what != kind::literal || a.text == b.text;
    return same ? relation::equal : relation::disjoint;
  }
  // {rest...} takes whatever the other one takes, and all that can follow it.
  if (a.what == kind::rest) return relation::more_general;
  if (b.what == kind::rest) return relation::more_specific;
  // {$} wants nothing behind the slash, where the others want something.
  if (a.what == kind::end || b.what == kind::end) return relation::disjoint;
  return a.what == kind::single ? relation::more_general : relation::more_specific;
}

// common_path is a path that both patterns match; they overlap.
std::string common_path(pattern const& a, pattern const& b) {
  std::string path;
  auto const& longer = a.segments.size() > b.segments.size() ? a.segments : b.segments;
  for (std::size_t i = 0; i < longer.size(); ++i) {
    bool const in_a = i < a.segments.size();
    bool const in_b = i < b.segments.size();
    auto const& first = in_a ? a.segments[i] : longer[i];
    auto const& second = in_b ? b.segments[i] : longer[i];
    path += '/';
    for (kind const wanted : {kind::literal, kind::single}) {
      auto const* found = first.what == wanted ? &first : second.what == wanted ? &second : nullptr;
      if (found == nullptr) continue;
      path += found->text;
      break;
    }
  }
  return path;
}

}  // namespace

result<pattern> parse_pattern(std::string_view text) {
  if (text.empty()) return errors::make("empty pattern");
  pattern out;
  out.text = text;
  std::string_view rest = text;
  std::size_t const blank = text.find_first_of(" \t");
  if (blank != std::string_view::npos) {
    out.method = text.substr(0, blank);
    if (!is_token(out.method)) {
      return errors::make("pattern \"{}\": invalid method \"{}\"", text, out.method);
    }
    rest = text.substr(std::min(text.find_first_not_of(" \t", blank), text.size()));
  }
  std::size_t const slash = rest.find('/');
  if (slash == std::string_view::npos) return bad_pattern(text, "no '/' in host/path");
  for (char c : rest.substr(0, slash)) out.host += to_lower(c);
  if (out.host.find('{') != std::string::npos) {
    return bad_pattern(text, "host with '{': is the first '/' missing?");
  }
  std::string_view const path = rest.substr(slash);
  if (out.method != "CONNECT" && !is_clean_path(path)) {
    return bad_pattern(text, "unclean path: requests are cleaned before they are matched");
  }
  if (error err = parse_path(text, path, out)) return err;
  return out;
}

relation compare_methods(pattern const& a, pattern const& b) {
  if (a.method == b.method) return relation::equal;
  if (a.method.empty()) return relation::more_general;
  if (b.method.empty()) return relation::more_specific;
  if (a.method == "GET" && b.method == "HEAD") return relation::more_general;
  if (a.method == "HEAD" && b.method == "GET") return relation::more_specific;
  return relation::disjoint;
}

relation compare_paths(pattern const& a, pattern const& b) {
  relation whole = relation::equal;
  std::size_t const common = std::min(a.segments.size(), b.segments.size());
  for (std::size_t i = 0; i < common; ++i) {
    whole = combine(whole, compare_segments(a.segments[i], b.segments[i]));
    if (whole == relation::disjoint) return whole;
    bool const over = a.segments[i].what == kind::rest || b.segments[i].what == kind::rest;
    if (over) return whole;
  }
  return a.segments.size() == b.segments.size() ? whole : relation::disjoint;
}

error check_conflict(pattern const& added, pattern const& present) {
  // Another host, or one with a host and one without: the host decides.
  if (added.host != present.host) return nullptr;
  relation const whole = combine(compare_methods(added, present), compare_paths(added, present));
  if (whole == relation::equal) {
    return errors::make("pattern \"{}\" conflicts with \"{}\": both match the same requests",
                        added.text, present.text);
  }
  if (whole == relation::overlapping) {
    return errors::make(
        "pattern \"{}\" conflicts with \"{}\": both match paths like \"{}\", and neither is more "
        "specific",
        added.text, present.text, common_path(added, present));
  }
  return nullptr;
}

}  // namespace vole::http::internal
