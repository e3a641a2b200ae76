// SPDX-License-Identifier: Apache-2.0
// The list of profiles. No shared state.

#include "vole/pprof.h"
#include "vole/runtime.h"

#include "pprof/goroutine.h"

namespace vole::pprof {

struct profile_list {
  static constexpr profile all[] = {
      // sorted by name
      {"goroutine", "stacks of all goroutines that live now", &runtime::goroutines,
       &goroutine_profile},
      {"threadcreate", "threads of the process, by name", &count_threads, &threadcreate_profile},
  };
};

std::size_t profile::count() const {
  return count_();
}
std::string profile::write(int debug) const {
  return write_(debug);
}

profile const* lookup(std::string_view name) noexcept {
  for (profile const& p : profile_list::all) {
    if (p.name() == name) return &p;
  }
  return nullptr;
}

std::vector<profile const*> profiles() {
  std::vector<profile const*> list;
  for (profile const& p : profile_list::all) list.push_back(&p);
  return list;
}

}  // namespace vole::pprof
