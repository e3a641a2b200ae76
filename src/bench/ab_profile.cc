// SPDX-License-Identifier: Apache-2.0
// No shared state.
#include "bench/ab_profile.h"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <utility>

#include "bench/benchfmt.h"
#include "pprof/reader.h"

namespace vole::ab {

result<self_seconds> read_profile(std::string const& path) {
  benchfmt::content const content = benchfmt::read_input(path);
  if (content.open_failure) return content.open_failure;
  if (content.read_failure) return content.read_failure;
  auto const read = VOLE_TRY(pprof::parse_profile(content.text), "read the profile {}", path);
  auto const column = VOLE_TRY(pprof::type_index(read, "cpu"), "read the profile {}", path);
  self_seconds made;
  for (auto const& sample : read.samples) {
    std::string name = "(unknown)";
    if (!sample.locations.empty()) {
      auto const& lines = read.locations[sample.locations.front()].lines;
      if (!lines.empty()) name = read.functions[lines.front().function].name;
      if (lines.size() > 1) name += " in " + read.functions[lines.back().function].name;
    }
    made[std::move(name)] += static_cast<double>(sample.values[column]) / 1e9;
  }
  return made;
}

std::vector<growth> grown(self_seconds const& older, double older_operations,
                          self_seconds const& newer, double newer_operations) {
  std::vector<growth> made;
  for (auto const& [function, seconds] : newer) {
    auto const before = older.find(function);
    growth const g{function, before == older.end() ? 0 : before->second / older_operations,
                   seconds / newer_operations};
    if (g.newer > g.older) made.push_back(g);
  }
  std::ranges::stable_sort(made, std::ranges::greater(),
                           [](growth const& g) { return g.newer - g.older; });
  return made;
}

}  // namespace vole::ab
