// SPDX-License-Identifier: Apache-2.0
#pragma once
// From a program counter to function, file and line. Names come from the ELF symbol table, lines
// and inlined calls from DWARF when the module (or its debug file) has it, opened lazily through
// libdw.
//
// LOCKS  one raw lock inside the process-wide symbolizer, held over file reads: never from a signal
//        handler. Who holds it, and is made to ask again by a fault or a panic, gets addresses.
//
// libdw has frames of 150 KiB that touch no guard page: symbolize runs where there is room, off the
// stacks of goroutines (base/stack_host.h).

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace vole::symbol {

struct source_frame {
  std::string function;  // readable; "0x55d0c0ffee" when nothing is known
  std::string mangled;   // the linker's name; equal to function for C; empty when nothing is known
  std::string file;      // as compiled; empty when unknown
  int line = 0;          // 0 when unknown
  bool inlined = false;  // this call was inlined into the next frame
};

// What one pc means.
struct symbolized {
  std::uintptr_t pc = 0;
  std::uintptr_t function_start = 0;  // address of the function in memory; 0 when unknown
  std::vector<source_frame>
      frames;  // innermost first; never empty; the last one is the real function
};

// symbolize resolves each pc, in order. A return address names the line after the call: pass
// address - 1 for it. Many at once are cheaper: DWARF is open only during a call.
// Blocks:  in a goroutine as blocking() does.
// Cost:    what was found is kept, within symbol_bytes_max. A call with a new pc opens the file it
//          lies in and reads the symbol table, and the line table of its compilation unit.
std::vector<symbolized> symbolize(std::span<std::uintptr_t const> pcs);

// pc_names is symbolize for pcs of which many are the same: each is looked up, and kept, once.
class pc_names {
 public:
  explicit pc_names(std::vector<std::uintptr_t> pcs);

  // of is what one of those pcs means.
  symbolized const& of(std::uintptr_t pc) const;

 private:
  std::vector<std::uintptr_t> pcs_;  // sorted, each once
  std::vector<symbolized> names_;
};
symbolized symbolize(std::uintptr_t pc);

// symbol_name is the readable function name alone, from the symbol table: no DWARF is read. For
// tests, which ask again and again: the file stays open until release_symbols.
std::string symbol_name(std::uintptr_t pc);

// symbol_bytes is how much memory symbolize keeps between calls; it never exceeds
// symbol_bytes_max.
inline constexpr std::size_t symbol_bytes_max = std::size_t{8} << 20;
std::size_t symbol_bytes();

// give_back_symbol_memory asks the C library to return to the system what the reading of DWARF took
// and has freed: it keeps tens of MiB after a first profile. No effect when little was read since
// the last time.
void give_back_symbol_memory();

// release_symbols gives back the memory that symbolize keeps; the next call reads afresh.
void release_symbols();

}  // namespace vole::symbol
