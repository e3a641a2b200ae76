// SPDX-License-Identifier: Apache-2.0
#pragma once
// Reads the unwind tables that compilers write (.eh_frame) for code that keeps no frame pointer -
// Debian's libc, libstdc++, OpenSSL - and for the first and last instructions of any function. No
// shared state, no lock, no allocation: the tables are read in place.
//
// INVARIANTS
//   - Of a module only its mapped tables are read: it must stay loaded meanwhile.
//   - What the reader does not understand is no row, never a guess.
// Source: DWARF 5 section 6.4, Linux Standard Base 5.0 section 10.6.

#include <cstddef>
#include <cstdint>

#include "symbol/cfi_row.h"
#include "symbol/unwind.h"

namespace vole::symbol {

// The functions that a module has tables of: the sorted index of its .eh_frame_hdr.
class fde_index {
 public:
  // header: the mapped .eh_frame_hdr; the tables end before `end`.
  fde_index(unsigned char const* header, unsigned char const* end) noexcept;

  std::size_t size() const noexcept { return size_; }
  // The table of the i-th function.
  unsigned char const* at(std::size_t i) const noexcept { return header_ + entry_at(i).fde; }
  // The table of the last function that begins at or before pc; null if there is none.
  unsigned char const* find(std::uintptr_t pc) const noexcept;
  // The index itself, which differs where two modules differ.
  dwarf_bytes bytes() const noexcept;

 private:
  struct entry {
    std::int32_t start, fde;  // relative to header_
  };
  entry entry_at(std::size_t i) const noexcept;

  unsigned char const* header_;
  unsigned char const* entries_ = nullptr;
  std::size_t size_ = 0;
};

// What a function's table says: FDE and CIE.
struct function_table {
  std::uintptr_t start = 0;
  std::uint64_t size = 0;
  std::uint64_t code_align = 1;
  std::int64_t data_align = 1;
  std::uint8_t encoding = 0;  // of pointers
  bool signal_frame = false;
  dwarf_bytes common;  // instructions that come first
  dwarf_bytes own;
};

// read_function parses the table at fde; false if it is not understood.
bool read_function(unsigned char const* fde, function_table* table) noexcept;

// for_each_row calls visit(arg, from, to, row) for each row, in order of address: it holds for
// [from, to), counted from the function's start. It ends when visit returns false. False if the
// table holds something that is not understood: the rows so far are right.
using row_visitor = bool (*)(void* arg, std::uint64_t from, std::uint64_t to, cfi_row const& row);
bool for_each_row(function_table const& table, row_visitor visit, void* arg) noexcept;

// step_by_cfi replaces the registers of a function by its caller's. lookup_pc finds the function:
// regs->pc, or for a return address the byte before it, since a call may be the last instruction of
// its function. The module is found by _dl_find_object, which takes no lock but is a call into the
// loader: for a walk of the sampler's handler see symbol/unwind_tables.h.
cfi_step step_by_cfi(registers* regs, std::uintptr_t lookup_pc, stack_bounds bounds) noexcept;

}  // namespace vole::symbol
