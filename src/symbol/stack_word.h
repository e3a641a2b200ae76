// SPDX-License-Identifier: Apache-2.0
#pragma once
// Reading another frame's words: clamped to the stack's bounds, unseen by the sanitizers. For
// unwind.cc and cfi.cc.

#include <cstdint>

#include "symbol/unwind.h"

namespace vole::symbol {

inline constexpr std::uintptr_t word_size = sizeof(std::uintptr_t);

// read_stack reads the word at address; false when it does not lie wholly inside bounds.
// Other frames' red zones and other threads' stores are looked at on purpose.
__attribute__((no_sanitize_address, no_sanitize_thread, noinline)) inline bool read_stack(
    stack_bounds bounds, std::uintptr_t address, std::uintptr_t* value) noexcept {
  bool const inside = address % word_size == 0 && address >= bounds.low &&
                      bounds.high >= word_size && address <= bounds.high - word_size;
  if (!inside) return false;
  *value = *reinterpret_cast<std::uintptr_t const volatile*>(address);
  return true;
}

// code_address drops the bits with which aarch64 signs return addresses.
inline std::uintptr_t code_address(std::uintptr_t pc) noexcept {
#if defined(__aarch64__)
  return pc & ((std::uintptr_t{1} << 48) - 1);
#else
  return pc;
#endif
}

}  // namespace vole::symbol
