// SPDX-License-Identifier: Apache-2.0
//
// The threads of the process. No shared state.
// Source: Go runtime/pprof (threadcreate). Differs: counts the threads that are there, by name; the
//   stacks at their creation, which Go has not kept either for years, are empty.

#include <chrono>
#include <dirent.h>
#include <fstream>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "pprof/goroutine.h"

namespace vole::pprof {
namespace {

constexpr char const* thread_key = "thread";

std::map<std::string, std::int64_t> threads_by_name() {
  std::map<std::string, std::int64_t> names;
  DIR* const tasks = opendir("/proc/self/task");
  if (tasks == nullptr) return names;
  while (dirent const* const entry = readdir(tasks)) {
    if (entry->d_name[0] == '.') continue;
    std::ifstream file(std::string("/proc/self/task/") + entry->d_name + "/comm");
    std::string name;
    if (std::getline(file, name)) ++names[name];
  }
  closedir(tasks);
  return names;
}

class thread_source : public profile_source {
 public:
  std::size_t count() const override {
    std::size_t count = 0;
    for (auto const& [name, threads] : threads_by_name()) {
      count += static_cast<std::size_t>(threads);
    }
    return count;
  }

  profile_data collect() const override {
    profile_data all{.sample_types = {{"threadcreate", "count"}},
                     .period_type = {"threadcreate", "count"},
                     .period = 1,
                     .begun = std::chrono::system_clock::now(),
                     .lasted = {},
                     .samples = {}};
    for (auto const& [name, count] : threads_by_name()) {
      all.samples.push_back({.pcs = {}, .values = {count}, .labels = {{thread_key, name}}});
    }
    return all;
  }
};

}  // namespace

std::unique_ptr<profile_source> make_thread_source() {
  return std::make_unique<thread_source>();
}

}  // namespace vole::pprof
