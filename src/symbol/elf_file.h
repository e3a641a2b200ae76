// SPDX-License-Identifier: Apache-2.0
#pragma once
// One ELF file, opened for reading through libelf, and the way from a stripped file to its debug
// file. No shared state. Reads files: not for signal handlers.

#include <cstddef>
#include <libelf.h>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace vole::symbol {

class elf_file {
 public:
  // Nothing if the file cannot be opened or is no ELF file.
  static std::optional<elf_file> open(std::string const& path);
  // An image that is already mapped (the vdso); the memory must outlive the object.
  static std::optional<elf_file> in_memory(char* image, std::size_t size);

  Elf* get() const { return elf_.get(); }
  std::string build_id() const;                   // hex; empty if there is none
  bool has_section(std::string_view name) const;  // ".debug_info" also finds it compressed
  // The debug file that belongs to this one, which lies at `path`: by build id, else by debuglink,
  // its contents checked against build id or checksum. Under the folders of VOLE_DEBUG_FILES and
  // /usr/lib/debug, by debuglink also beside the file.
  std::optional<elf_file> find_debug_file(std::string const& path) const;

 private:
  struct elf_end_caller {
    void operator()(Elf* elf) const { ::elf_end(elf); }
  };
  struct debug_link {
    std::string file;
    std::uint32_t checksum = 0;
  };

  explicit elf_file(Elf* elf) : elf_(elf) {}
  std::optional<debug_link> link() const;

  std::unique_ptr<Elf, elf_end_caller> elf_;
};

}  // namespace vole::symbol
