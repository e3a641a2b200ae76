// SPDX-License-Identifier: Apache-2.0
// Where the stacks of threads lie. No shared state.

#include "runtime/thread_stack.h"

#include <cstddef>
#include <cstdio>
#include <pthread.h>

namespace vole::internal {

thread_stack this_thread_stack() noexcept {
  pthread_attr_t attr;
  if (::pthread_getattr_np(::pthread_self(), &attr) != 0) return {};
  void* low = nullptr;
  std::size_t bytes = 0;
  int const failure = ::pthread_attr_getstack(&attr, &low, &bytes);
  ::pthread_attr_destroy(&attr);
  if (failure != 0) return {};
  auto const at = reinterpret_cast<std::uintptr_t>(low);
  return {.low = at, .high = at + bytes};
}

std::vector<thread_stack> writable_mappings() noexcept {
  std::vector<thread_stack> mappings;
  std::FILE* const maps = std::fopen("/proc/self/maps", "re");
  if (maps == nullptr) return mappings;
  char line[512];
  while (std::fgets(line, sizeof line, maps) != nullptr) {
    unsigned long low = 0;
    unsigned long high = 0;
    char mode[5] = {};
    // A path longer than the line is read as another line, which does not have this form.
    if (std::sscanf(line, "%lx-%lx %4s", &low, &high, mode) == 3 && mode[1] == 'w') {
      mappings.push_back({.low = low, .high = high});
    }
  }
  std::fclose(maps);
  return mappings;
}

thread_stack stack_around(std::span<thread_stack const> mappings, std::uintptr_t sp,
                          std::uintptr_t thread_area) noexcept {
  for (thread_stack const& m : mappings) {
    if (sp < m.low || sp >= m.high) continue;
    bool const area_above = thread_area > sp && thread_area < m.high;
    return {.low = m.low, .high = area_above ? thread_area : m.high};
  }
  return {};
}

}  // namespace vole::internal
