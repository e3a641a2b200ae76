// SPDX-License-Identifier: Apache-2.0
#pragma once
// What rooms below the runtime need to know about the stack they run on: its bounds, to walk it,
// and a roomier one. The runtime answers for goroutines, the C library for plain threads.
//
// INVARIANTS  the host is set at most once to anything else, before the first goroutine runs.
// LOCKS  none.

#include <cstdint>

namespace vole::internal {

// The memory of a stack, [low, high); {0, 0}: not known.
struct stack_range {
  std::uintptr_t low = 0;
  std::uintptr_t high = 0;
};

struct stack_host {
  stack_range (*here)() noexcept;
  void (*run_roomy)(void (*fn)(void*), void* arg);
};

// set_stack_host is the runtime's; host lives for ever.
void set_stack_host(stack_host const* host) noexcept;

// stack_here is the stack that the caller runs on.
// Cost:    a few ns; the first time on a plain thread up to 100 µs, since the C library is asked.
stack_range stack_here() noexcept;

// thread_stack_here is the stack that the C library made for this thread.
stack_range thread_stack_here() noexcept;

// run_roomy runs fn(arg) where it has a megabyte of stack, and returns when it is done.
// Blocks:  as long as fn does; in a goroutine as blocking() does.   Cancels: no.
void run_roomy(void (*fn)(void*), void* arg);

}  // namespace vole::internal
