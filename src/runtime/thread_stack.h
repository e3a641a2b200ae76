// SPDX-License-Identifier: Apache-2.0
#pragma once
// Where the stacks of threads lie. No shared state. Not for signal handlers.

#include <cstdint>
#include <span>
#include <vector>

namespace vole::internal {

struct thread_stack {
  std::uintptr_t low = 0;
  std::uintptr_t high = 0;  // 0: not known
};

// this_thread_stack asks the C library.
thread_stack this_thread_stack() noexcept;

// install_stack_host tells the rooms below about the stacks of goroutines.
void install_stack_host() noexcept;

// writable_mappings reads this process's memory map: what a stack can lie in, sorted.
std::vector<thread_stack> writable_mappings() noexcept;

// stack_around is what can be said about the stack that sp points into, of a thread whose thread
// pointer is thread_area: the C library keeps its thread area at the high end of the stacks it
// makes, so all between is the stack.
thread_stack stack_around(std::span<thread_stack const> mappings, std::uintptr_t sp,
                          std::uintptr_t thread_area) noexcept;

}  // namespace vole::internal
