// SPDX-License-Identifier: Apache-2.0
#include "symbol/elf_file.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <elfutils/libdwelf.h>
#include <fcntl.h>
#include <fstream>
#include <gelf.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "vole/internal/format.h"

namespace vole::symbol {
namespace {

// debug_roots lists where debug files are looked for: the folders of VOLE_DEBUG_FILES, separated by
// colons, and the system's.
std::vector<std::string> debug_roots() {
  std::vector<std::string> roots;
  char const* const own = std::getenv("VOLE_DEBUG_FILES");
  std::string_view left = own == nullptr ? "" : own;
  while (!left.empty()) {
    std::string_view const root = left.substr(0, left.find(':'));
    left.remove_prefix(std::min(root.size() + 1, left.size()));
    if (!root.empty()) roots.emplace_back(root);
  }
  roots.emplace_back("/usr/lib/debug");
  return roots;
}

bool libelf_ready() {
  static bool const ready = ::elf_version(EV_CURRENT) != EV_NONE;
  return ready;
}

// The checksum of .gnu_debuglink: CRC-32 with the reflected polynomial 0xedb88320, as of zlib.
constexpr std::array<std::uint32_t, 256> make_crc_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? 0xedb88320U ^ (crc >> 1) : crc >> 1;
    table[i] = crc;
  }
  return table;
}
constexpr auto crc_table = make_crc_table();

std::optional<std::uint32_t> checksum_of(std::string const& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::uint32_t crc = ~0U;
  std::vector<char> buffer(std::size_t{1} << 16);
  while (file.read(buffer.data(), static_cast<std::streamsize>(buffer.size())) ||
         file.gcount() > 0) {
    for (std::streamsize i = 0; i < file.gcount(); ++i) {
      crc = crc_table[(crc ^ static_cast<unsigned char>(buffer[static_cast<std::size_t>(i)])) &
                      0xff] ^
            (crc >> 8);
    }
  }
  return ~crc;
}

std::string directory_of(std::string const& path) {
  std::size_t const slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

}  // namespace

std::optional<elf_file> elf_file::open(std::string const& path) {
  if (!libelf_ready()) return std::nullopt;
  int const fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  elf_file file(::elf_begin(fd, ELF_C_READ_MMAP_PRIVATE, nullptr));
  // With the whole file mapped, libelf needs the descriptor no more.
  bool const usable = file.get() != nullptr && ::elf_kind(file.get()) == ELF_K_ELF &&
                      ::elf_cntl(file.get(), ELF_C_FDREAD) == 0;
  ::close(fd);
  if (!usable) return std::nullopt;
  return file;
}

std::optional<elf_file> elf_file::in_memory(char* image, std::size_t size) {
  if (!libelf_ready()) return std::nullopt;
  elf_file file(::elf_memory(image, size));
  if (file.get() == nullptr || ::elf_kind(file.get()) != ELF_K_ELF) return std::nullopt;
  return file;
}

std::string elf_file::build_id() const {
  void const* bytes = nullptr;
  ssize_t const size = ::dwelf_elf_gnu_build_id(get(), &bytes);
  std::string hex;
  for (ssize_t i = 0; i < size; ++i) {
    hex += fmt::format("{:02x}", static_cast<unsigned char const*>(bytes)[i]);
  }
  return hex;
}

bool elf_file::has_section(std::string_view name) const {
  std::size_t names = 0;
  if (::elf_getshdrstrndx(get(), &names) != 0) return false;
  for (Elf_Scn* section = nullptr; (section = ::elf_nextscn(get(), section)) != nullptr;) {
    GElf_Shdr header;
    if (::gelf_getshdr(section, &header) == nullptr || header.sh_type == SHT_NOBITS) continue;
    char const* const found = ::elf_strptr(get(), names, header.sh_name);
    if (found != nullptr && name == found) return true;
  }
  return false;
}

std::optional<elf_file::debug_link> elf_file::link() const {
  GElf_Word checksum = 0;
  char const* const name = ::dwelf_elf_gnu_debuglink(get(), &checksum);
  if (name == nullptr) return std::nullopt;
  return debug_link{name, checksum};
}

std::optional<elf_file> elf_file::find_debug_file(std::string const& path) const {
  std::string const id = build_id();
  std::vector<std::string> const roots = debug_roots();
  for (std::string const& root : roots) {
    if (id.size() <= 2) break;
    auto found = open(fmt::format("{}/.build-id/{}/{}.debug", root, id.substr(0, 2), id.substr(2)));
    if (found && found->build_id() == id) return found;
  }
  auto const linked = link();
  if (!linked) return std::nullopt;
  std::string const directory = directory_of(path);
  std::vector<std::string> candidates = {fmt::format("{}/{}", directory, linked->file),
                                         fmt::format("{}/.debug/{}", directory, linked->file)};
  for (std::string const& root : roots) {
    candidates.push_back(fmt::format("{}{}/{}", root, directory, linked->file));
  }
  for (std::string const& candidate : candidates) {
    auto found = open(candidate);
    if (!found) continue;
    std::string const found_id = found->build_id();
    bool const same = id.empty() || found_id.empty() ? checksum_of(candidate) == linked->checksum
                                                     : found_id == id;
    if (same) return found;
  }
  return std::nullopt;
}

}  // namespace vole::symbol
