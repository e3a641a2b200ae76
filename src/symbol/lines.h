// SPDX-License-Identifier: Apache-2.0
#pragma once
// Files, lines and inlined calls of one ELF file, read from DWARF through libdw.
//
// No shared state: one thread at a time uses a reader. libdw keeps what it has read of each
// compilation unit (lines alone are about 100 bytes a row), so a reader lives for a batch of
// addresses and is thrown away: see units().
// REJECTED
//   - dwarf_getscopes for each address, dwarf_getscopes_die for each name: they visit every entry
//     of the unit, milliseconds in C++. Here a unit is walked at most once.
//   - libdwfl: finds debug files over the network when DEBUGINFOD_URLS is set, and searches symbols
//     linearly.

#include <cstddef>
#include <cstdint>
#include <elfutils/libdw.h>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "symbol/elf_file.h"
#include "symbol/symbolize.h"

namespace vole::symbol {

// unit_index says which compilation unit has an address, where the compiler wrote no table of
// address ranges (clang does not). Filled by the first reader of a file that needs it.
struct unit_index {
  struct range {
    std::uint64_t low = 0;
    std::uint64_t high = 0;
    Dwarf_Off unit = 0;
  };
  bool filled = false;
  std::vector<range> ranges;  // by low
};

class line_reader {
 public:
  // file holds .debug_info and must outlive the reader, as units must, which is of that file.
  line_reader(elf_file const& file, unit_index& units);

  // The frames at address (as in the file, without load bias), innermost first; empty when DWARF
  // does not know it.
  std::vector<source_frame> frames_at(std::uint64_t address);
  // How many compilation units have been read so far.
  std::size_t units() const { return units_.size(); }

 private:
  struct dwarf_end_caller {
    void operator()(Dwarf* dwarf) const { ::dwarf_end(dwarf); }
  };
  struct function_range {
    std::uint64_t low = 0;
    std::uint64_t high = 0;
    Dwarf_Off die = 0;
  };
  // A namespace, class or function, and the one that it stands in.
  struct scope {
    Dwarf_Off die = 0;
    std::size_t outer = no_scope;  // index in unit::scopes
  };
  static constexpr std::size_t no_scope = static_cast<std::size_t>(-1);
  struct unit {
    Dwarf_Die die{};
    Dwarf_Files* files = nullptr;
    std::string directory;
    std::vector<function_range> functions;  // by low; they do not overlap
    std::vector<scope> scopes;              // by die; empty until the unit has been walked
  };

  unit* unit_at(std::uint64_t address);
  bool find_in_index(std::uint64_t address, Dwarf_Die* found);
  void fill_index();
  unit& unit_of(Dwarf_Die die);
  void collect(Dwarf_Die* parent, unit* into);
  void add_ranges(Dwarf_Die* function, unit* into);
  void walk(unit* in);
  void walk_below(Dwarf_Die* parent, std::size_t outer, unit* into);
  bool find_function(unit* in, std::uint64_t address, Dwarf_Die* function);
  void name(Dwarf_Die* function, source_frame* frame);
  std::string qualified_name(Dwarf_Die* function);
  std::string path_of(unit const& in, char const* file) const;

  std::unique_ptr<Dwarf, dwarf_end_caller> dwarf_;
  unit_index& index_;
  std::map<Dwarf_Off, unit> units_;
  std::map<void const*, std::string> qualified_;  // of functions without linkage name, by entry
};

}  // namespace vole::symbol
