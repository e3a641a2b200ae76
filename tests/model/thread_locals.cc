// SPDX-License-Identifier: Apache-2.0
// Where the thread_locals lie: the linker's tables say it.

#include "thread_locals.h"

#include <cstring>
#include <link.h>

namespace vole::model {

thread_locals::thread_locals() {
  auto const look = [](dl_phdr_info* module, std::size_t, void* to) {
    auto& self = *static_cast<thread_locals*>(to);
    bool const program = module->dlpi_name == nullptr || *module->dlpi_name == '\0';
    for (int i = 0; i < module->dlpi_phnum; ++i) {
      auto const& part = module->dlpi_phdr[i];
      if (part.p_type != PT_TLS || module->dlpi_tls_data == nullptr) continue;
      auto* const block = static_cast<char*>(module->dlpi_tls_data);
      self.all_.emplace_back(block, part.p_memsz);
      if (!program || self.block_ != nullptr) continue;
      self.block_ = block;
      self.initial_.assign(part.p_memsz, '\0');
      std::memcpy(self.initial_.data(),
                  reinterpret_cast<char const*>(module->dlpi_addr + part.p_vaddr), part.p_filesz);
    }
    return 0;
  };
  ::dl_iterate_phdr(look, this);
}

void thread_locals::exchange(std::vector<char>& leaving, std::vector<char> const& coming) const {
  leaving.assign(block_, block_ + initial_.size());
  if (!coming.empty()) std::memcpy(block_, coming.data(), coming.size());
}

bool thread_locals::has(void const* at) const noexcept {
  auto const* const byte = static_cast<char const*>(at);
  for (auto const& [block, bytes] : all_) {
    if (byte >= block && byte < block + bytes) return true;
  }
  return false;
}

}  // namespace vole::model
