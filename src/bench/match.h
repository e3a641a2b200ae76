// SPDX-License-Identifier: Apache-2.0
#pragma once
// The names of sub-benchmarks, and which of them a -bench pattern names. No shared state.

#include <map>
#include <regex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "vole/result.h"

namespace vole::bench {

enum class match_kind {
  none,
  partial,  // the pattern has more levels than the name: only sub-benchmarks can match
  full,
};

// unique_names gives each sub-benchmark of a parent a name of its own.
class unique_names {
 public:
  // take is wanted, or "wanted#01" and so on where that is taken; "#00" for the empty name.
  std::string take(std::string const& wanted);

 private:
  std::map<std::string, int> asked_;  // how often for each
  std::set<std::string> taken_;
};

// pattern is Go's -bench argument: expressions divided by '/', one for each level of the name;
// alternatives of such lists divided by '|'. As in names, a blank is '_' in it. An expression that
// begins with (?i) does not tell capital letters from small ones.
class pattern {
 public:
  // Errors: an expression that is not a regular expression (ECMAScript); the text says which.
  static result<pattern> parse(std::string_view text);

  // match holds a whole name, "ChanSend/size=1", against the pattern.
  match_kind match(std::string_view name) const;

 private:
  std::vector<std::vector<std::regex>> alternatives_;
};

}  // namespace vole::bench
