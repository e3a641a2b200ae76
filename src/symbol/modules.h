// SPDX-License-Identifier: Apache-2.0
#pragma once
// Which files are mapped where: the program and its shared libraries, and those that were unloaded
// lately. Takes the loader's lock and allocates: not for signal handlers.
//
// LOCKS  a raw lock over the list of the unloaded, with the loader's below it.

#include <cstdint>
#include <string>
#include <vector>

namespace vole::symbol {

// One executable mapping of a module.
struct module {
  std::uintptr_t start = 0;  // [start, end) of the executable segment, page-aligned
  std::uintptr_t end = 0;
  std::uint64_t file_offset = 0;  // of start in the file
  std::uintptr_t bias = 0;        // address in memory - address in the file's symbol table
  std::string path;               // absolute; "[vdso]" for the kernel's
  std::string build_id;           // hex, empty if the module has none
  bool is_main = false;
};

// modules lists the executable mappings: the main program first, then in load order.
std::vector<module> modules();

// known_modules lists them, and after them those that an earlier call (or note_modules) saw and
// that have been unloaded since, as far as nothing else lies where they lay: a profile has stacks
// from the time when they were there.
std::vector<module> known_modules();

// note_modules remembers what is loaded now. A look at the loader's counters when nothing was
// loaded or unloaded since the last time.
void note_modules();

// modules_generation is another number after every load or unload of a module.
std::uint64_t modules_generation();

}  // namespace vole::symbol
