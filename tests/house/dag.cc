// SPDX-License-Identifier: Apache-2.0
#include "dag.h"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <fmt/format.h>
#include <string_view>

namespace vole::house {
namespace {

constexpr std::string_view no_name = "NONE";

std::string without_comments(std::string const& text) {
  std::string kept;
  bool comment = false;
  for (char const c : text) {
    if (c == '#') comment = true;
    if (c == '\n') comment = false;
    kept.push_back(comment ? ' ' : c);
  }
  return kept;
}

std::string trimmed(std::string_view text) {
  auto const blank = [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return std::string(text);
}

std::vector<std::string> split(std::string_view text, std::string_view by) {
  std::vector<std::string> parts;
  for (std::size_t from = 0;;) {
    std::size_t const at = text.find(by, from);
    parts.push_back(trimmed(text.substr(from, at == std::string_view::npos ? at : at - from)));
    if (at == std::string_view::npos) return parts;
    from = at + by.size();
  }
}

}  // namespace

dag::dag(std::string const& text) {
  auto rules = split(without_comments(text), ";");
  if (!rules.back().empty())
    problems_.push_back(fmt::format("'{}' does not end in ';'", rules.back()));
  rules.pop_back();
  for (auto const& rule : rules) read_rule(rule);
  check();
}

void dag::read_rule(std::string const& rule) {
  if (rule.find("!<") != std::string::npos) {
    auto const sides = split(rule, "!<");
    if (sides.size() != 2) {
      problems_.push_back(fmt::format("'{}': one '!<' in a rule", rule));
      return;
    }
    for (auto const& low : read_names(sides[0], rule)) {
      for (auto const& high : read_names(sides[1], rule)) never_.emplace_back(low, high);
    }
    return;
  }
  auto const sides = split(rule, "<");
  if (sides.size() < 2) problems_.push_back(fmt::format("'{}' has no '<'", rule));
  names_list lower;
  for (auto const& side : sides) {
    auto const higher = read_names(side, rule);
    for (auto const& name : higher) {
      if (name == no_name) continue;
      auto& below = below_[name];
      for (auto const& low : lower) {
        if (low != no_name) below.insert(low);
      }
    }
    lower = higher;
  }
}

dag::names_list dag::read_names(std::string const& text, std::string const& rule) {
  auto const names = split(text, ",");
  auto const is_name = [](std::string const& name) {
    return !name.empty() && std::ranges::all_of(name, [](char c) {
      return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
    });
  };
  for (auto const& name : names) {
    if (!is_name(name)) problems_.push_back(fmt::format("'{}': '{}' is no name", rule, name));
  }
  return names;
}

void dag::check() {
  for (auto const& [name, below] : below_) {
    for (auto const& low : below) {
      if (may_include(low, name))
        problems_.push_back(fmt::format("{} and {} reach each other", low, name));
    }
  }
  for (auto const& [low, high] : never_) {
    for (auto const& name : {low, high}) {
      if (!below_.contains(name))
        problems_.push_back(fmt::format("'!<' names {}, which no '<' brings in", name));
    }
    if (may_include(high, low))
      problems_.push_back(fmt::format("{} !< {}, but {} reaches {}", low, high, high, low));
  }
}

std::set<std::string> dag::names() const {
  std::set<std::string> all;
  for (auto const& [name, below] : below_) all.insert(name);
  return all;
}

std::set<std::string> dag::reach(std::string const& from) const {
  std::set<std::string> seen = {from};
  std::vector<std::string> open = {from};
  while (!open.empty()) {
    auto const at = below_.find(open.back());
    open.pop_back();
    if (at == below_.end()) continue;
    for (auto const& low : at->second) {
      if (seen.insert(low).second) open.push_back(low);
    }
  }
  return seen;
}

bool dag::may_include(std::string const& from, std::string const& to) const {
  return reach(from).contains(to);
}

}  // namespace vole::house
