// SPDX-License-Identifier: Apache-2.0
// A route pattern: its parts, and how the sets of requests that two patterns match relate.
// No shared state.
// Source: Go 1.22 net/http, "Patterns" and "Precedence" of the ServeMux documentation.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "vole/errors.h"
#include "vole/result.h"

namespace vole::http::internal {

struct pattern_segment {
  enum class kind : std::uint8_t {
    literal,  // text: what the decoded segment equals
    single,   // {text}: one segment, not empty
    rest,     // {text...}, or a slash at the end (text empty): everything behind the slash
    end,      // {$}: nothing behind the slash
  };
  kind what;
  std::string text;
};

struct pattern {
  std::string text;    // as registered
  std::string method;  // "" for every method
  std::string host;    // lower case; "" for every host
  std::vector<pattern_segment> segments;
};

// parse_pattern reads "[METHOD ][HOST]/[PATH]".
// Errors: `pattern "GET /{a}/{a}": duplicate wildcard "a"`, and the like.
result<pattern> parse_pattern(std::string_view text);

// relation is how the set of requests of one pattern stands to that of another.
enum class relation : std::uint8_t { equal, more_general, more_specific, disjoint, overlapping };

relation compare_methods(pattern const& a, pattern const& b);
relation compare_paths(pattern const& a, pattern const& b);

// check_conflict returns null when at most one of the two can be the most specific pattern for any
// request, else an error that names both and a path that both match.
error check_conflict(pattern const& added, pattern const& present);

}  // namespace vole::http::internal
