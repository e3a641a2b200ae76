// SPDX-License-Identifier: Apache-2.0
#include "symbol/unwind.h"

#include <ucontext.h>

// Other frames' red zones and other threads' stores are looked at on purpose.
#define VOLE_UNCHECKED \
  __attribute__((no_sanitize_address, no_sanitize_thread, no_sanitize_undefined))

namespace vole::symbol {
namespace {

constexpr std::uintptr_t word = sizeof(std::uintptr_t);

// A frame record, as the ABIs of x86-64 and aarch64 both lay it out: the caller's frame pointer,
// then the return address.
constexpr std::uintptr_t record_size = 2 * word;

VOLE_UNCHECKED std::uintptr_t load(std::uintptr_t address) noexcept {
  return *reinterpret_cast<std::uintptr_t const volatile*>(address);
}

bool holds(stack_bounds bounds, std::uintptr_t address, std::uintptr_t size) noexcept {
  return address % word == 0 && address >= bounds.low && bounds.high >= size &&
         address <= bounds.high - size;
}

// code_address drops the bits with which aarch64 signs return addresses.
std::uintptr_t code_address(std::uintptr_t pc) noexcept {
#if defined(__aarch64__)
  return pc & ((std::uintptr_t{1} << 48) - 1);
#else
  return pc;
#endif
}

// walk follows the frame records from fp upwards; every record lies at or above floor.
std::size_t walk(std::uintptr_t fp, std::uintptr_t floor, stack_bounds bounds,
                 std::span<std::uintptr_t> to, std::size_t count) noexcept {
  while (count < to.size() && fp >= floor && holds(bounds, fp, record_size)) {
    std::uintptr_t const return_pc = code_address(load(fp + word));
    if (return_pc == 0) break;  // the mark at the bottom of a stack
    to[count++] = return_pc;
    floor = fp + record_size;
    fp = load(fp);
  }
  return count;
}

}  // namespace

registers interrupted(void const* ucontext) noexcept {
  auto const& machine = static_cast<ucontext_t const*>(ucontext)->uc_mcontext;
#if defined(__x86_64__)
  return {static_cast<std::uintptr_t>(machine.gregs[REG_RIP]),
          static_cast<std::uintptr_t>(machine.gregs[REG_RSP]),
          static_cast<std::uintptr_t>(machine.gregs[REG_RBP])};
#else
  return {machine.pc, machine.sp, machine.regs[29]};
#endif
}

std::size_t unwind_interrupted(registers const& from, stack_bounds bounds,
                               std::span<std::uintptr_t> to) noexcept {
  if (to.empty() || from.pc == 0) return 0;
  to[0] = from.pc;
  return walk(from.fp, from.sp, bounds, to, 1);
}

std::size_t unwind_saved(registers const& from, stack_bounds bounds,
                         std::span<std::uintptr_t> to) noexcept {
  if (to.empty() || from.pc == 0) return 0;
  to[0] = from.pc;
  return walk(from.fp, from.sp, bounds, to, 1);
}

std::size_t unwind_here(stack_bounds bounds, std::span<std::uintptr_t> to) noexcept {
  auto const fp = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
  return walk(fp, fp, bounds, to, 0);
}

}  // namespace vole::symbol
