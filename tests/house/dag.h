// SPDX-License-Identifier: Apache-2.0
#pragma once
// The language of layers.txt. No shared state.
//
//   file  = { rule ";" } ; a # begins a comment
//   rule  = names { "<" names }    each name may include every name to its left in the rule, and
//   what those may include
//         | names "!<" names       no name on the right may ever reach a name on the left
//   names = name { "," name }      NONE is no name: "NONE < base" brings in base

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace vole::house {

class dag {
 public:
  // Reads the language; what is wrong with the text is in problems().
  explicit dag(std::string const& text);

  std::vector<std::string> const& problems() const { return problems_; }
  std::set<std::string> names() const;
  // Whether `from` may include `to`: itself, or what it reaches.
  bool may_include(std::string const& from, std::string const& to) const;
  // Everything that `from` may include, itself too.
  std::set<std::string> reach(std::string const& from) const;

 private:
  using names_list = std::vector<std::string>;

  void read_rule(std::string const& rule);
  names_list read_names(std::string const& text, std::string const& rule);
  void check();

  std::map<std::string, std::set<std::string>> below_;      // what each name may include directly
  std::vector<std::pair<std::string, std::string>> never_;  // {a, b}: b must never reach a
  std::vector<std::string> problems_;
};

}  // namespace vole::house
