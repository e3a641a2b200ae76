// SPDX-License-Identifier: Apache-2.0
#pragma once
// The calls of a profile as a tree: what a flame graph shows. No shared state.
//
// INVARIANTS  nothing recurses over it: a profile of others may be as deep as the reader lets it.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "pprof/reader.h"

namespace vole::pprof {

// call_tree_node is a function on one way from the roots. Its texts are those of the profiles,
// which outlive it.
struct call_tree_node {
  std::string_view name;
  std::string_view file;
  std::size_t place = 0;           // among all nodes: a caller stands before what it calls
  std::size_t caller = 0;          // its place; the root is its own
  std::size_t depth = 0;           // 0: the root; 1: the outermost functions
  std::vector<std::int64_t> self;  // one for each type; those of the base, if any, behind them
  std::map<std::string_view, call_tree_node*> children = {};  // by name
};

// call_tree has the outermost functions as children of its nameless root.
class call_tree {
 public:
  // base, or null, has the same types as profile.
  call_tree(parsed_profile const& profile, parsed_profile const* base);

  call_tree_node const& root() const { return nodes_.front(); }

  // totals has for each node, at its place, self[i] of it and of everything below it.
  std::vector<std::int64_t> totals(std::size_t i) const;

 private:
  call_tree_node& child_of(call_tree_node& parent, std::string_view name, std::string_view file);
  void add(parsed_profile const& profile, std::size_t first_value);

  std::size_t values_;
  std::deque<call_tree_node> nodes_;  // which stay where they are
};

// shown_name is what stands for a line of a location, as pprof names it: "[libc.so.6]" where only
// the file is known. line: no_line for a location without lines.
inline constexpr std::size_t no_line = static_cast<std::size_t>(-1);
std::string_view shown_name(parsed_profile const& profile, std::size_t location, std::size_t line);

// base_name is what stands behind the last '/'.
std::string_view base_name(std::string_view path);

}  // namespace vole::pprof
