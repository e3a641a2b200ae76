// SPDX-License-Identifier: Apache-2.0
// symbol/symbolize.h without libdw and libelf: names of functions from the symbol tables, no files
// and lines.
#include <algorithm>
#include <cstring>
#include <elf.h>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "vole/internal/format.h"
#include "vole/internal/raw_mutex.h"

#include "symbol/demangle.h"
#include "symbol/modules.h"
#include "symbol/symbolize.h"

namespace vole::symbol {
namespace {

struct named_function {
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  char const* name = nullptr;
};

// One file's functions, by address. It stays in memory, where their names are.
class named_file {
 public:
  explicit named_file(std::string const& path) {
    std::ifstream file(path, std::ios::binary);
    bytes_.assign(std::istreambuf_iterator<char>(file), {});
    if (bytes_.size() < sizeof(Elf64_Ehdr) || std::memcmp(bytes_.data(), ELFMAG, SELFMAG) != 0)
      return;
    auto const& header = *at<Elf64_Ehdr>(0);
    for (auto const wanted : {SHT_SYMTAB, SHT_DYNSYM}) {
      for (std::size_t i = 0; i < header.e_shnum && functions_.empty(); ++i) {
        auto const& section = *at<Elf64_Shdr>(header.e_shoff + i * sizeof(Elf64_Shdr));
        if (section.sh_type != static_cast<Elf64_Word>(wanted)) continue;
        read(section, *at<Elf64_Shdr>(header.e_shoff + section.sh_link * sizeof(Elf64_Shdr)));
      }
    }
    std::ranges::sort(functions_, {}, &named_function::start);
  }

  named_function const* find(std::uint64_t address) const {
    auto const after = std::ranges::upper_bound(functions_, address, {}, &named_function::start);
    if (after == functions_.begin()) return nullptr;
    named_function const& found = *std::prev(after);
    return address < found.end ? &found : nullptr;
  }

 private:
  template <class T>
  T const* at(std::size_t offset) const {
    return reinterpret_cast<T const*>(bytes_.data() + offset);
  }
  void read(Elf64_Shdr const& table, Elf64_Shdr const& texts) {
    for (std::size_t i = 0; i < table.sh_size / sizeof(Elf64_Sym); ++i) {
      auto const& s = *at<Elf64_Sym>(table.sh_offset + i * sizeof(Elf64_Sym));
      if (ELF64_ST_TYPE(s.st_info) != STT_FUNC || s.st_size == 0) continue;
      functions_.push_back(
          {s.st_value, s.st_value + s.st_size, at<char>(texts.sh_offset + s.st_name)});
    }
  }

  std::vector<char> bytes_;
  std::vector<named_function> functions_;
};

internal::raw_mutex mu;

symbolized name_of(std::uintptr_t pc) {
  static auto& files = *new std::map<std::string, named_file>;  // guarded by mu; never destroyed
  internal::raw_lock const lock(mu);
  symbolized found{pc, 0, {{fmt::format("{:#x}", pc), "", "", 0, false}}};
  for (module const& m : known_modules()) {
    if (pc < m.start || pc >= m.end) continue;
    named_file const& file = files.try_emplace(m.path, m.path).first->second;
    if (named_function const* const f = file.find(pc - m.bias)) {
      found.function_start = f->start + m.bias;
      found.frames.front().function = demangle(f->name);
      found.frames.front().mangled = f->name;
    }
    break;
  }
  return found;
}

}  // namespace

std::vector<symbolized> symbolize(std::span<std::uintptr_t const> pcs) {
  std::vector<symbolized> found;
  for (std::uintptr_t const pc : pcs) found.push_back(name_of(pc));
  return found;
}

symbolized symbolize(std::uintptr_t pc) {
  return name_of(pc);
}

std::string symbol_name(std::uintptr_t pc) {
  return name_of(pc).frames.back().function;
}

std::size_t symbol_bytes() {
  return 0;
}
void give_back_symbol_memory() {}
void release_symbols() {}

}  // namespace vole::symbol
