// SPDX-License-Identifier: Apache-2.0
#pragma once
// The caller's own stack, be it a goroutine or a plain thread. No shared state.

#include <cstddef>
#include <cstdint>
#include <span>

#include "symbol/unwind.h"

namespace vole::internal {

// own_stack_bounds is the stack that `here` lies on; empty when that is neither the goroutine's nor
// the thread's (a signal stack, a foreign fiber).
// Cost: a few ns; the first call on a plain thread asks the C library, which allocates.
symbol::stack_bounds own_stack_bounds(void const* here) noexcept;

// unwind_own_stack writes return addresses, innermost first, and returns how many. The first is
// `from`, the return address of a function above which all frames are ours and left out; if it is
// not found, all are given.
// Cost: about 100 ns a frame.
std::size_t unwind_own_stack(std::span<std::uintptr_t> to, void const* from) noexcept;

}  // namespace vole::internal
