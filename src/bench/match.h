// SPDX-License-Identifier: Apache-2.0
#pragma once
// Which benchmarks a -bench pattern names. No shared state.

#include <regex>
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

// pattern is Go's -bench argument: expressions divided by '/', one for each level of the name;
// alternatives of such lists divided by '|'.
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
