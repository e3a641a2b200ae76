// SPDX-License-Identifier: Apache-2.0
#pragma once
// The caller's own stack, be it a goroutine or a plain thread. No shared state.

#include <cstddef>
#include <cstdint>
#include <span>

#include "runtime/thread_stack.h"
#include "symbol/unwind.h"

namespace vole::internal {

// announce_own_stack tells where the calling thread's stack lies: exact, where it is else guessed
// from the thread's control block.
void announce_own_stack(thread_stack stack) noexcept;

// own_stack_is_known: the calling thread has announced it.
bool own_stack_is_known() noexcept;

// own_stack_bounds is the stack that `here` lies on: the goroutine's, the thread's, or else what
// foreign_stack says.
// Takes no lock and allocates nothing: it is called inside malloc. Cost: a few ns.
symbol::stack_bounds own_stack_bounds(void const* here) noexcept;

// foreign_stack is what can be read from `at` upwards of a stack that nobody has announced: a plain
// thread's, a signal's, a fiber's of another library. It ends where the calling thread's must, or
// the memory does; empty when nothing is known of it. `at` may lie a page below the stack's end.
// Async-signal-safe: signal handlers ask where the interrupted stack pointer lies.
// Cost: a system call for each page, up to foreign_bytes_max.
symbol::stack_bounds foreign_stack(std::uintptr_t at) noexcept;
inline constexpr std::size_t foreign_bytes_max = std::size_t{8} << 20;

struct goroutine;
// bounds_of is the stack of a goroutine, whoever runs it. Signal handlers may ask.
symbol::stack_bounds bounds_of(goroutine const& g) noexcept;

// unwind_own_stack writes return addresses, innermost first, and returns how many. The first is
// `from`, the return address of a function above which all frames are ours and left out; if it is
// not found, all are given; if the stack is not known, `from` alone.
// Cost: about 120 ns a frame.
std::size_t unwind_own_stack(std::span<std::uintptr_t> to, void const* from) noexcept;

}  // namespace vole::internal
