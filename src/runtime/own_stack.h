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

// own_stack_bounds is the stack that `here` lies on; empty when that is neither the goroutine's nor
// the thread's (a signal stack, a foreign fiber).
// Takes no lock and allocates nothing: it is called inside malloc. Cost: a few ns.
symbol::stack_bounds own_stack_bounds(void const* here) noexcept;

struct goroutine;
// bounds_of is the stack of a goroutine, whoever runs it. Signal handlers may ask.
symbol::stack_bounds bounds_of(goroutine const& g) noexcept;

// unwind_own_stack writes return addresses, innermost first, and returns how many. The first is
// `from`, the return address of a function above which all frames are ours and left out; if it is
// not found, all are given; if the stack is not known, `from` alone.
// Cost: about 120 ns a frame.
std::size_t unwind_own_stack(std::span<std::uintptr_t> to, void const* from) noexcept;

}  // namespace vole::internal
