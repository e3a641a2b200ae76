// SPDX-License-Identifier: Apache-2.0
#include "symbol/symtab.h"

#include <algorithm>
#include <cstring>
#include <gelf.h>
#include <tuple>

namespace vole::symbol {
namespace {

// Which of several names for one address a reader expects: an exported one, with few leading
// underscores.
std::uint8_t rank_of(GElf_Sym const& symbol, char const* name) {
  auto rank = static_cast<std::uint8_t>(std::min<std::size_t>(std::strspn(name, "_"), 7));
  if (std::strncmp(name, "_Z", 2) == 0) rank = 0;
  if (GELF_ST_BIND(symbol.st_info) == STB_LOCAL) rank = static_cast<std::uint8_t>(rank + 16);
  if (symbol.st_size == 0) rank = static_cast<std::uint8_t>(rank + 32);
  return rank;
}

Elf_Scn* find_section(Elf* elf, GElf_Word type) {
  for (Elf_Scn* section = nullptr; (section = ::elf_nextscn(elf, section)) != nullptr;) {
    GElf_Shdr header;
    if (::gelf_getshdr(section, &header) != nullptr && header.sh_type == type) return section;
  }
  return nullptr;
}

}  // namespace

symtab::symtab(elf_file const& file) {
  Elf_Scn* section = find_section(file.get(), SHT_SYMTAB);
  if (section == nullptr) section = find_section(file.get(), SHT_DYNSYM);
  if (section == nullptr) return;
  read(file.get(), section);
  finish();
}

void symtab::read(Elf* elf, Elf_Scn* section) {
  GElf_Shdr header;
  Elf_Data* const data = ::elf_getdata(section, nullptr);
  if (data == nullptr || ::gelf_getshdr(section, &header) == nullptr || header.sh_entsize == 0)
    return;
  auto const count = static_cast<int>(header.sh_size / header.sh_entsize);
  for (int i = 0; i < count; ++i) {
    GElf_Sym symbol;
    if (::gelf_getsym(data, i, &symbol) == nullptr) break;
    auto const type = GELF_ST_TYPE(symbol.st_info);
    // Labels of assembly without a type name code as well.
    bool const code = type == STT_FUNC || type == STT_GNU_IFUNC ||
                      (type == STT_NOTYPE && GELF_ST_BIND(symbol.st_info) == STB_GLOBAL);
    if (!code || symbol.st_shndx == SHN_UNDEF || symbol.st_value == 0) continue;
    char const* const name = ::elf_strptr(elf, header.sh_link, symbol.st_name);
    if (name == nullptr || *name == '\0') continue;
    symbols_.push_back(
        {symbol.st_value, symbol.st_value + symbol.st_size, name, rank_of(symbol, name)});
  }
}

void symtab::finish() {
  std::ranges::sort(symbols_, {},
                    [](function_symbol const& s) { return std::tuple(s.address, s.rank); });
  auto const same = [](function_symbol const& a, function_symbol const& b) {
    return a.address == b.address;
  };
  symbols_.erase(std::unique(symbols_.begin(), symbols_.end(), same), symbols_.end());
  symbols_.shrink_to_fit();
  // A symbol without size reaches to the next one.
  for (std::size_t i = 0; i + 1 < symbols_.size(); ++i) {
    if (symbols_[i].end == symbols_[i].address) symbols_[i].end = symbols_[i + 1].address;
  }
}

function_symbol const* symtab::find(std::uint64_t address) const {
  auto const after = std::ranges::upper_bound(symbols_, address, {}, &function_symbol::address);
  if (after == symbols_.begin()) return nullptr;
  function_symbol const& found = *std::prev(after);
  return address < found.end ? &found : nullptr;
}

}  // namespace vole::symbol
