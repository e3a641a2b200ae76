// SPDX-License-Identifier: Apache-2.0
// No shared state.
#include "pprof/call_tree.h"

namespace vole::pprof {

call_tree::call_tree(parsed_profile const& profile, parsed_profile const* base)
    : values_(profile.types.size() * (base == nullptr ? 1 : 2)) {
  nodes_.push_back({.name = {}, .file = {}, .self = std::vector<std::int64_t>(values_)});
  add(profile, 0);
  if (base != nullptr) add(*base, profile.types.size());
}

call_tree_node& call_tree::child_of(call_tree_node& parent, std::string_view name,
                                    std::string_view file) {
  call_tree_node*& child = parent.children[name];
  if (child == nullptr) {
    nodes_.push_back({.name = name,
                      .file = file,
                      .place = nodes_.size(),
                      .caller = parent.place,
                      .depth = parent.depth + 1,
                      .self = std::vector<std::int64_t>(values_)});
    child = &nodes_.back();
  }
  return *child;
}

void call_tree::add(parsed_profile const& profile, std::size_t first_value) {
  for (parsed_sample const& s : profile.samples) {
    call_tree_node* at = &nodes_.front();
    for (auto l = s.locations.rbegin(); l != s.locations.rend(); ++l) {
      auto const& lines = profile.locations[*l].lines;
      if (lines.empty()) at = &child_of(*at, shown_name(profile, *l, no_line), {});
      for (std::size_t i = lines.size(); i > 0; --i) {
        std::string_view const file = profile.functions[lines[i - 1].function].file;
        at = &child_of(*at, shown_name(profile, *l, i - 1), file);
      }
    }
    for (std::size_t i = 0; i < s.values.size(); ++i) at->self[first_value + i] += s.values[i];
  }
}

std::vector<std::int64_t> call_tree::totals(std::size_t i) const {
  std::vector<std::int64_t> sums(nodes_.size());
  for (std::size_t place = nodes_.size(); place-- > 0;) {
    call_tree_node const& node = nodes_[place];
    sums[place] += node.self[i];
    if (place > 0) sums[node.caller] += sums[place];
  }
  return sums;
}

std::string_view shown_name(parsed_profile const& profile, std::size_t location, std::size_t line) {
  parsed_location const& at = profile.locations[location];
  if (line != no_line) {
    std::string const& name = profile.functions[at.lines[line].function].name;
    if (!name.empty()) return name;
  }
  if (at.mapping == no_mapping) return "<unknown>";
  std::string const& shown = profile.mappings[at.mapping].shown;
  return shown.empty() ? std::string_view("<unknown>") : shown;
}

std::string_view base_name(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

}  // namespace vole::pprof
