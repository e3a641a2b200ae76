// SPDX-License-Identifier: Apache-2.0
#pragma once
// One step up the stack by the unwind tables that compilers write (.eh_frame), for code that keeps
// no frame pointer - Debian's libc, libstdc++, OpenSSL - and for the first and last instructions of
// any function. No shared state, no lock, no allocation: the tables are read in place, found by
// _dl_find_object, which is async-signal-safe.
//
// INVARIANTS
//   - Of the stack only words inside the given bounds are read; of a module only its mapped tables.
//   - What the reader does not understand (a frame address in a register that is not tracked, say)
//     is `unknown`, never a guess.
// Source: DWARF 5 section 6.4, Linux Standard Base 5.0 section 10.6.

#include <cstdint>

#include "symbol/unwind.h"

namespace vole::symbol {

enum class cfi_step : std::uint8_t {
  stepped,    // *regs are now the caller's
  outermost,  // the function has no caller: the bottom of the stack
  unknown,    // no table for this pc, or one beyond this reader; *regs are as they were
};

// step_by_cfi replaces the registers of a function by its caller's. lookup_pc finds the function:
// regs->pc, or for a return address the byte before it, since a call may be the last instruction of
// its function.
cfi_step step_by_cfi(registers* regs, std::uintptr_t lookup_pc, stack_bounds bounds) noexcept;

}  // namespace vole::symbol
