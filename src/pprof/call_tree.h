// SPDX-License-Identifier: Apache-2.0
#pragma once
// The calls of a profile as a tree: what a flame graph shows. No shared state.

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
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
  std::vector<std::int64_t> self;  // one for each type; those of the base, if any, behind them
  std::map<std::string_view, std::unique_ptr<call_tree_node>> children;  // by name

  // total adds up self[i] of the node and of everything below it.
  std::int64_t total(std::size_t i) const;
};

// call_tree has the outermost functions as children of its nameless root. base, or null, has the
// same types as profile.
call_tree_node call_tree(parsed_profile const& profile, parsed_profile const* base);

// shown_name is what stands for a line of a location, as pprof names it: "[libc.so.6]" where only
// the file is known. line: no_line for a location without lines.
inline constexpr std::size_t no_line = static_cast<std::size_t>(-1);
std::string_view shown_name(parsed_profile const& profile, std::size_t location, std::size_t line);

// base_name is what stands behind the last '/'.
std::string_view base_name(std::string_view path);

}  // namespace vole::pprof
