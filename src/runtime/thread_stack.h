// SPDX-License-Identifier: Apache-2.0
#pragma once
// Where the stacks of threads lie. No shared state. Not for signal handlers.

#include <cstddef>
#include <cstdint>

namespace vole::internal {

struct thread_stack {
  std::uintptr_t low = 0;
  std::uintptr_t high = 0;  // 0: not known
};

// this_thread_stack asks the C library.
thread_stack this_thread_stack() noexcept;

// run_on_thread_stack runs fn(arg) on the stack of the thread that runs the calling goroutine,
// which has thread_stack_bytes_min; any other caller is there already. fn must not park, nor throw.
// Cost: two switches. Takes no lock and no memory: it is used by a process that dies, too.
void run_on_thread_stack(void (*fn)(void*), void* arg);

inline constexpr std::size_t thread_stack_bytes_min = std::size_t{2} << 20;

// install_stack_host tells the rooms below about the stacks of goroutines.
void install_stack_host() noexcept;

}  // namespace vole::internal
