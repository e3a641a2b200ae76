// SPDX-License-Identifier: Apache-2.0
// Where the stacks of threads lie. No shared state.

#include "runtime/thread_stack.h"

#include <cstddef>
#include <cstdio>
#include <pthread.h>

#include "vole/go.h"

#include "base/stack_host.h"
#include "runtime/goroutine.h"
#include "runtime/own_stack.h"

namespace vole::internal {

namespace {

constexpr std::size_t roomy_bytes = 1 << 20;

struct roomy_call {
  void (*fn)(void*);
  void* arg;
};

void* roomy_main(void* arg) {
  auto const& call = *static_cast<roomy_call*>(arg);
  call.fn(call.arg);
  return nullptr;
}

// A thread of its own costs 30 µs, which is nothing to what needs a megabyte of stack.
void run_on_a_thread(roomy_call& call) {
  pthread_attr_t attr;
  pthread_t thread;
  ::pthread_attr_init(&attr);
  ::pthread_attr_setstacksize(&attr, roomy_bytes);
  int const failure = ::pthread_create(&thread, &attr, &roomy_main, &call);
  ::pthread_attr_destroy(&attr);
  if (failure != 0) return call.fn(call.arg);
  ::pthread_join(thread, nullptr);
}

stack_range own_stack() noexcept {
  symbol::stack_bounds const bounds = own_stack_bounds(__builtin_frame_address(0));
  return {bounds.low, bounds.high};
}

void run_roomy_for_goroutine(void (*fn)(void*), void* arg) {
  if (current_goroutine() == nullptr) return fn(arg);
  roomy_call call{fn, arg};
  blocking([&call] { run_on_a_thread(call); });
}

constexpr stack_host stacks{&own_stack, &run_roomy_for_goroutine};

}  // namespace

void install_stack_host() noexcept {
  set_stack_host(&stacks);
}

thread_stack this_thread_stack() noexcept {
  stack_range const of_thread = thread_stack_here();
  return {.low = of_thread.low, .high = of_thread.high};
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
