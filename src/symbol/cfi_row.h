// SPDX-License-Identifier: Apache-2.0
#pragma once
// One row of an unwind table: how the registers of a caller are found from those of a function that
// stands between two of its instructions. No shared state, no allocation: for signal handlers too.

#include <cstdint>

#include "symbol/dwarf_bytes.h"
#include "symbol/unwind.h"

namespace vole::symbol {

// DWARF's numbers of the registers that are tracked.
#if defined(__x86_64__)
inline constexpr std::uint64_t fp_number = 6;
inline constexpr std::uint64_t sp_number = 7;
inline constexpr std::uint64_t return_number = 16;
#else
inline constexpr std::uint64_t fp_number = 29;
inline constexpr std::uint64_t sp_number = 31;
inline constexpr std::uint64_t return_number = 30;
#endif

// An expression as it lies in the table.
struct dwarf_expression {
  unsigned char const* at = nullptr;
  std::uint32_t size = 0;

  dwarf_bytes bytes() const { return {at, at + size}; }
};

// Where the caller's value of one register is.
struct saved_register {
  enum class place : std::uint8_t {
    same,           // in the register itself
    at_cfa_offset,  // in memory, so far from the canonical frame address
    at_expression,  // in memory, where the expression says
    by_expression,  // the expression's value
    undefined,      // the function has none: of the return address, it has no caller
    other,          // not understood, or lost
  };
  std::int64_t offset = 0;
  dwarf_expression expression{};
  place where = place::same;
};

struct cfi_row {
  std::int64_t cfa_offset = 0;
  std::uint64_t cfa_register = 0;
  dwarf_expression cfa_expression{};  // instead of the register, when has_expression
  bool has_expression = false;
  bool signal_frame = false;  // the caller is code that a signal interrupted
  saved_register fp{};
  saved_register return_pc{};
};

enum class cfi_step : std::uint8_t {
  stepped,                 // *regs are now the caller's, pc is a return address
  stepped_to_interrupted,  // *regs are now those of the code that a signal interrupted
  outermost,               // the function has no caller: the bottom of the stack
  unknown,                 // no row, or one beyond this reader; *regs are as they were
};

// climbs says whether the frame of a caller may begin at cfa: above that of the function itself, or
// where that begins when it has none, which is so of the innermost function alone (aarch64: its
// return address is in the link register).
bool climbs(registers const& regs, std::uintptr_t cfa, bool returns_by_link,
            stack_bounds bounds) noexcept;

// apply replaces the registers of the function that stands at `row` by its caller's. Of the stack
// only words inside the bounds are read.
cfi_step apply(cfi_row const& row, registers* regs, stack_bounds bounds) noexcept;

}  // namespace vole::symbol
