// SPDX-License-Identifier: Apache-2.0
//
// The program's list of benchmarks, and what is found out about names before any is run. The list
// is made before main and not changed afterwards.

#include <algorithm>
#include <cstddef>
#include <fstream>
#include <map>
#include <string>
#include <string_view>

#include "vole/errors.h"
#include "vole/internal/format.h"

#include "bench/runner.h"

namespace vole::bench {
namespace {

constinit registration* first_entry = nullptr;
constinit registration** last_link = &first_entry;

}  // namespace

registration::registration(std::string_view snake_name, void (*fn)(benchmark_state&),
                           std::string_view file, int line)
    : name(camel_case(snake_name)), body(fn), place(fmt::format("{}:{}", file, line)) {
  *last_link = this;
  last_link = &next;
}

std::vector<registration const*> registered() {
  std::vector<registration const*> entries;
  for (registration const* e = first_entry; e != nullptr; e = e->next) entries.push_back(e);
  return entries;
}

error check_names(std::vector<registration const*> const& entries) {
  std::map<std::string_view, registration const*> seen;
  for (registration const* e : entries) {
    auto const [other, is_new] = seen.emplace(e->name, e);
    if (is_new) continue;
    return errors::make("two benchmarks are called Benchmark{}: {} and {}", e->name,
                        other->second->place, e->place);
  }
  return {};
}

match_kind selection::match(std::string_view name) const {
  std::string const printed = fmt::format("Benchmark{}", name);
  auto const either = [&](pattern const& p) { return std::max(p.match(name), p.match(printed)); };
  match_kind const kind = either(wanted);
  bool const out = skipped && either(*skipped) == match_kind::full;
  return out ? match_kind::none : kind;
}

std::vector<registration const*> matching(selection const& which) {
  std::vector<registration const*> chosen;
  for (registration const* e : registered()) {
    if (which.match(e->name) != match_kind::none) chosen.push_back(e);
  }
  return chosen;
}

int name_width(std::vector<registration const*> const& entries, int procs) {
  std::size_t const suffix = full_name("", procs).size();
  std::size_t width = 1;
  for (registration const* e : entries) {
    width = std::max(width, full_name("Benchmark" + e->name, procs).size() + suffix + 1);
  }
  return static_cast<int>(width);
}

std::string process_cpu_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (!line.starts_with("model name")) continue;
    std::size_t const colon = line.find(':');
    if (colon == std::string::npos) return {};
    std::size_t const from = line.find_first_not_of(" \t", colon + 1);
    return from == std::string::npos ? std::string{} : line.substr(from);
  }
  return {};
}

}  // namespace vole::bench
