// SPDX-License-Identifier: Apache-2.0
#pragma once
// The unwind tables of all loaded modules, read once and packed, for walks that may call nothing:
// those of the sampler's signal handler. A row is 8 bytes; equal neighbours are one.
//
// INVARIANTS
//   - What is published is never changed, and freed only after the last walk that may see it.
//   - The tables are copies: a walk reads no module's memory, so an unload cannot fault it.
//   - All of them together take bytes_max at most; a module that has no more room is not in them.
// LOCKS     a raw lock over refresh, with the loader's below it; walks take none.
// ORDERING  seq_cst between the count of walks and what is published: a walk that counts itself
//           after refresh has looked sees the newer tables.
// REJECTED  _dl_find_object in the handler: it takes no lock, but it is the loader's, and what it
//           finds may be unmapped under the walk.
//           Tables for every walk: a heap sample would use what an unload has made wrong, until the
//           next refresh; those read in place (symbol/cfi.h).

#include <cstddef>
#include <cstdint>

#include "symbol/cfi_row.h"
#include "symbol/unwind.h"

namespace vole::symbol {

inline constexpr std::size_t unwind_tables_bytes_max = std::size_t{64} << 20;

// refresh_unwind_tables publishes the tables of the modules that are loaded now. A look at the
// loader's counters when none was loaded or unloaded since the last time.
// Blocks: on the loader's lock. Not for signal handlers.
void refresh_unwind_tables() noexcept;

// unwind_tables_bytes is how much memory the published tables take.
std::size_t unwind_tables_bytes() noexcept;

// limit_unwind_tables has the next refresh read all tables again, into so much memory. For tests.
void limit_unwind_tables(std::size_t bytes) noexcept;

struct published_tables;
class module_table;

// A look at the published tables: they stay while it lives. Async-signal-safe; calls nothing.
class unwind_tables_view {
 public:
  unwind_tables_view() noexcept;
  ~unwind_tables_view();
  unwind_tables_view(unwind_tables_view const&) = delete;
  unwind_tables_view& operator=(unwind_tables_view const&) = delete;

  // step replaces the registers of a function by its caller's, as step_by_cfi does.
  cfi_step step(registers* regs, std::uintptr_t lookup_pc, stack_bounds bounds) noexcept;

 private:
  published_tables const* tables_;
  module_table const* last_ = nullptr;  // where the last pc was
};

}  // namespace vole::symbol
