// SPDX-License-Identifier: Apache-2.0
#include "symbol/modules.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <elf.h>
#include <filesystem>
#include <fstream>
#include <link.h>
#include <sstream>
#include <string_view>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "vole/internal/annotations.h"
#include "vole/internal/format.h"
#include "vole/internal/raw_mutex.h"

namespace vole::symbol {
namespace {

std::uintptr_t page_down(std::uintptr_t address) {
  static auto const page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  return address - address % page;
}
std::uintptr_t page_up(std::uintptr_t address) {
  static auto const page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  return page_down(address + page - 1);
}

// build_id_of reads the notes of one loaded segment; empty if none of them is a build id.
std::string build_id_of(std::uintptr_t notes, std::size_t size) {
  constexpr std::size_t align = 4;
  auto const padded = [](std::size_t n) { return (n + align - 1) / align * align; };
  while (size >= sizeof(ElfW(Nhdr))) {
    auto const* const note = reinterpret_cast<ElfW(Nhdr) const*>(notes);
    std::size_t const name_size = padded(note->n_namesz);
    std::size_t const whole = sizeof(*note) + name_size + padded(note->n_descsz);
    if (whole > size) return {};
    auto const* const name = reinterpret_cast<char const*>(note + 1);
    if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == sizeof("GNU") &&
        std::memcmp(name, "GNU", sizeof("GNU")) == 0) {
      auto const* const id = reinterpret_cast<unsigned char const*>(name + name_size);
      std::string hex;
      for (std::size_t i = 0; i < note->n_descsz; ++i) hex += fmt::format("{:02x}", id[i]);
      return hex;
    }
    notes += whole;
    size -= whole;
  }
  return {};
}

// mapped_file is the path that the kernel knows for the mapping at address. The loader has no name
// for the main program, and /proc/self/exe is ld.so when the program was started through it.
std::string mapped_file(std::uintptr_t address) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    std::istringstream fields(line);
    std::uintptr_t start = 0;
    std::uintptr_t end = 0;
    char dash = 0;
    fields >> std::hex >> start >> dash >> end;
    if (address < start || address >= end) continue;
    std::string skipped;
    fields >> skipped >> skipped >> skipped >> skipped >> std::ws;
    std::string path;
    std::getline(fields, path);
    constexpr std::string_view deleted = " (deleted)";
    if (path.ends_with(deleted)) path.resize(path.size() - deleted.size());
    return path;
  }
  return {};
}

std::string path_of(dl_phdr_info const& info, std::uintptr_t start, bool is_main) {
  std::string_view const name = info.dlpi_name == nullptr ? "" : info.dlpi_name;
  if (name.starts_with("linux-vdso") || name.starts_with("linux-gate")) return "[vdso]";
  if (!is_main && name.starts_with('/')) return std::string(name);
  std::string path = mapped_file(start);
  if (path.empty() && is_main) {  // it could not be read: descriptors have run out
    std::error_code failure;
    path = std::filesystem::read_symlink("/proc/self/exe", failure).string();
  }
  return path.empty() ? std::string(name) : path;
}

int add_module(dl_phdr_info* info, std::size_t, void* out) {
  auto& list = *static_cast<std::vector<module>*>(out);
  bool const is_main = list.empty();  // the loader reports the program first
  std::string build_id;
  for (std::size_t i = 0; i < info->dlpi_phnum && build_id.empty(); ++i) {
    auto const& segment = info->dlpi_phdr[i];
    if (segment.p_type != PT_NOTE) continue;
    build_id = build_id_of(info->dlpi_addr + segment.p_vaddr, segment.p_memsz);
  }
  for (std::size_t i = 0; i < info->dlpi_phnum; ++i) {
    auto const& segment = info->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0) continue;
    module found;
    std::uintptr_t const address = info->dlpi_addr + segment.p_vaddr;
    found.start = page_down(address);
    found.end = page_up(address + segment.p_memsz);
    found.file_offset = segment.p_offset - (address - found.start);
    found.bias = info->dlpi_addr;
    found.path = path_of(*info, found.start, is_main);
    found.build_id = build_id;
    found.is_main = is_main;
    list.push_back(std::move(found));
  }
  return 0;
}

int read_generation(dl_phdr_info* info, std::size_t, void* out) {
  *static_cast<std::uint64_t*>(out) = info->dlpi_adds + info->dlpi_subs;
  return 1;  // one module is enough: the counts are the process's
}

bool overlap(module const& a, module const& b) {
  return a.start < b.end && b.start < a.end;
}

// What was loaded at the last look, and what was unloaded before it.
class module_memory {
 public:
  void note() VOLE_EXCLUDES(mu_) {
    internal::raw_lock const lock(mu_);
    look();
  }

  std::vector<module> known() VOLE_EXCLUDES(mu_) {
    internal::raw_lock const lock(mu_);
    look();
    std::vector<module> all = loaded_;
    for (module const& m : unloaded_) {
      if (std::ranges::none_of(all, [&](module const& there) { return overlap(there, m); }))
        all.push_back(m);
    }
    return all;
  }

 private:
  static constexpr std::size_t unloaded_max = 64;

  void look() VOLE_REQUIRES_LOCK(mu_) {
    std::uint64_t const generation = modules_generation();
    if (!loaded_.empty() && generation == generation_) return;
    std::vector<module> fresh = modules();
    for (module& m : loaded_) {
      auto const same = [&](module const& there) {
        return there.start == m.start && there.build_id == m.build_id && there.path == m.path;
      };
      if (std::ranges::none_of(fresh, same)) unloaded_.insert(unloaded_.begin(), std::move(m));
    }
    if (unloaded_.size() > unloaded_max) unloaded_.resize(unloaded_max);
    loaded_ = std::move(fresh);
    generation_ = generation;
  }

  internal::raw_mutex mu_;
  std::vector<module> loaded_ VOLE_GUARDED_BY(mu_);
  std::vector<module> unloaded_ VOLE_GUARDED_BY(mu_);  // the latest first
  std::uint64_t generation_ VOLE_GUARDED_BY(mu_) = 0;  // not later than loaded_
};

// Never destroyed: a dump may be asked for while static objects are being taken down.
module_memory& the_memory() {
  static module_memory& one = *new module_memory;
  return one;
}

}  // namespace

std::vector<module> known_modules() {
  return the_memory().known();
}

void note_modules() {
  the_memory().note();
}

std::uint64_t modules_generation() {
  std::uint64_t generation = 0;
  ::dl_iterate_phdr(&read_generation, &generation);
  return generation;
}

std::vector<module> modules() {
  std::vector<module> list;
  ::dl_iterate_phdr(&add_module, &list);
  return list;
}

}  // namespace vole::symbol
