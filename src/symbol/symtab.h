// SPDX-License-Identifier: Apache-2.0
#pragma once
// The functions that one ELF file names, ordered by address. Immutable once read; no shared state.

#include <cstdint>
#include <string>
#include <vector>

#include "symbol/elf_file.h"

namespace vole::symbol {

struct function_symbol {
  std::uint64_t address = 0;  // as in the file: without load bias
  std::uint64_t end = 0;
  char const* name = nullptr;  // the linker's; lives in the elf_file
  std::uint8_t rank = 0;       // of several names for one address the lowest rank is kept
};

class symtab {
 public:
  // Reads the full symbol table of file, or its dynamic one when it is stripped. file must outlive
  // the table.
  explicit symtab(elf_file const& file);

  bool empty() const { return symbols_.empty(); }
  // The function that holds address; null if none does.
  function_symbol const* find(std::uint64_t address) const;

 private:
  void read(Elf* elf, Elf_Scn* section);
  void finish();

  std::vector<function_symbol> symbols_;
};

}  // namespace vole::symbol
