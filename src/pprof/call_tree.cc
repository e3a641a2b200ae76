// SPDX-License-Identifier: Apache-2.0
// No shared state.
#include "pprof/call_tree.h"

namespace vole::pprof {
namespace {

call_tree_node& child_of(call_tree_node& parent, std::string_view name, std::string_view file,
                         std::size_t values) {
  auto& child = parent.children[name];
  if (child == nullptr) {
    child = std::make_unique<call_tree_node>();
    child->name = name;
    child->file = file;
    child->self.resize(values);
  }
  return *child;
}

void add(call_tree_node& root, parsed_profile const& profile, std::size_t first_value) {
  std::size_t const values = root.self.size();
  for (parsed_sample const& s : profile.samples) {
    call_tree_node* at = &root;
    for (auto l = s.locations.rbegin(); l != s.locations.rend(); ++l) {
      auto const& lines = profile.locations[*l].lines;
      if (lines.empty()) at = &child_of(*at, shown_name(profile, *l, no_line), {}, values);
      for (std::size_t i = lines.size(); i > 0; --i) {
        std::string_view const file = profile.functions[lines[i - 1].function].file;
        at = &child_of(*at, shown_name(profile, *l, i - 1), file, values);
      }
    }
    for (std::size_t i = 0; i < s.values.size(); ++i) at->self[first_value + i] += s.values[i];
  }
}

}  // namespace

std::int64_t call_tree_node::total(std::size_t i) const {
  std::int64_t sum = self[i];
  for (auto const& [name, child] : children) sum += child->total(i);
  return sum;
}

call_tree_node call_tree(parsed_profile const& profile, parsed_profile const* base) {
  call_tree_node root;
  root.self.resize(profile.types.size() * (base == nullptr ? 1 : 2));
  add(root, profile, 0);
  if (base != nullptr) add(root, *base, profile.types.size());
  return root;
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
