// SPDX-License-Identifier: Apache-2.0
//
// Names and patterns of -bench. No shared state.
// Source: Go testing/match.go, as `go help testflag` describes it. Differs: ECMAScript expressions,
//   not RE2.

#include "bench/match.h"

#include <algorithm>
#include <cstddef>

#include "vole/errors.h"
#include "vole/internal/format.h"

#include "bench/result.h"

namespace vole::bench {
namespace {

// split divides text at each '/' and '|' that stands outside brackets and parentheses.
std::vector<std::vector<std::string>> split(std::string_view text) {
  std::vector<std::vector<std::string>> alternatives(1);
  std::string level;
  int square = 0;
  int round = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char const c = text[i];
    if (c == '\\' && i + 1 < text.size()) {
      level += c;
      level += text[++i];
      continue;
    }
    if (c == '[') ++square;
    if (c == ']' && square > 0) --square;
    if (c == '(' && square == 0) ++round;
    if (c == ')' && square == 0 && round > 0) --round;
    if ((c == '/' || c == '|') && square == 0 && round == 0) {
      alternatives.back().push_back(std::move(level));
      level.clear();
      if (c == '|') alternatives.emplace_back();
      continue;
    }
    level += c;
  }
  alternatives.back().push_back(std::move(level));
  return alternatives;
}

result<std::regex> compile(std::string const& text) {
  constexpr std::string_view any_case = "(?i)";
  bool const folds = text.starts_with(any_case);
  auto how = std::regex::ECMAScript | std::regex::optimize;
  if (folds) how |= std::regex::icase;
  try {
    return std::regex(folds ? text.substr(any_case.size()) : text, how);
  } catch (std::regex_error const& failure) {
    return errors::make("'{}' is not a regular expression: {}", text, failure.what());
  }
}

match_kind match_levels(std::vector<std::regex> const& levels, std::string_view name) {
  std::size_t level = 0;
  while (true) {
    std::size_t const slash = name.find('/');
    std::string_view const part = name.substr(0, slash);
    if (!std::regex_search(part.begin(), part.end(), levels[level])) return match_kind::none;
    ++level;
    if (level == levels.size()) return match_kind::full;
    if (slash == std::string_view::npos) return match_kind::partial;
    name.remove_prefix(slash + 1);
  }
}

}  // namespace

std::string unique_names::take(std::string const& wanted) {
  while (true) {
    int const before = asked_[wanted]++;
    bool const plain = before == 0 && !wanted.empty();
    std::string name = plain ? wanted : fmt::format("{}#{:02}", wanted, before);
    if (taken_.insert(name).second) return name;
  }
}

result<pattern> pattern::parse(std::string_view text) {
  pattern parsed;
  for (std::vector<std::string> const& levels : split(text)) {
    std::vector<std::regex> compiled;
    for (std::string const& level : levels) {
      auto expression = VOLE_TRY(compile(printable(level)), "read the pattern '{}'", text);
      compiled.push_back(std::move(expression));
    }
    parsed.alternatives_.push_back(std::move(compiled));
  }
  return parsed;
}

match_kind pattern::match(std::string_view name) const {
  match_kind best = match_kind::none;
  for (auto const& levels : alternatives_) best = std::max(best, match_levels(levels, name));
  return best;
}

}  // namespace vole::bench
