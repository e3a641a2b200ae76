// SPDX-License-Identifier: Apache-2.0
#include "symbol/unwind.h"

#include <ucontext.h>

#include "symbol/cfi.h"
#include "symbol/stack_word.h"
#include "symbol/unwind_tables.h"

namespace vole::symbol {
namespace {

// Whether a frame record lies at the very top of its frame: the ABI of aarch64 leaves that open.
#if defined(__x86_64__)
constexpr bool record_is_on_top = true;
#else
constexpr bool record_is_on_top = false;
#endif

// step_by_frame follows a frame record, as the ABIs of x86-64 and aarch64 both lay it out: the
// caller's frame pointer, then the return address. False when there is none at or above sp.
bool step_by_frame(registers* regs, stack_bounds bounds) noexcept {
  if (regs->fp < regs->sp) return false;
  registers caller{.sp = regs->fp + 2 * word_size, .sp_known = record_is_on_top};
  if (!read_stack(bounds, regs->fp, &caller.fp)) return false;
  if (!read_stack(bounds, regs->fp + word_size, &caller.pc)) return false;
  caller.pc = code_address(caller.pc);
  *regs = caller;
  return true;
}

// climb appends the callers of `at`, whose own pc is in `to` already. is_call: at.pc is a return
// address. step: one step by unwind tables.
template <class Step>
std::size_t climb(registers at, bool is_call, stack_bounds bounds, std::span<std::uintptr_t> to,
                  Step&& step_by_table) noexcept {
  std::size_t count = 1;
  while (count < to.size()) {
    cfi_step const step = step_by_table(&at, is_call ? at.pc - 1 : at.pc, bounds);
    if (step == cfi_step::outermost) break;
    if (step == cfi_step::unknown && !step_by_frame(&at, bounds)) break;
    if (at.pc == 0) break;  // the mark at the bottom of a stack
    to[count++] = at.pc;
    is_call = step != cfi_step::stepped_to_interrupted;
  }
  return count;
}

}  // namespace

registers interrupted(void const* ucontext) noexcept {
  auto const& machine = static_cast<ucontext_t const*>(ucontext)->uc_mcontext;
#if defined(__x86_64__)
  return {.pc = static_cast<std::uintptr_t>(machine.gregs[REG_RIP]),
          .sp = static_cast<std::uintptr_t>(machine.gregs[REG_RSP]),
          .fp = static_cast<std::uintptr_t>(machine.gregs[REG_RBP]),
          .machine = ucontext};
#else
  return {.pc = machine.pc,
          .sp = machine.sp,
          .fp = machine.regs[29],
          .link = machine.regs[30],
          .machine = ucontext};
#endif
}

std::size_t unwind_interrupted(registers const& from, stack_bounds bounds,
                               std::span<std::uintptr_t> to) noexcept {
  if (to.empty() || from.pc == 0) return 0;
  to[0] = from.pc;
  return climb(from, false, bounds, to, &step_by_cfi);
}

std::size_t unwind_sampled(registers const& from, stack_bounds bounds,
                           std::span<std::uintptr_t> to) noexcept {
  if (to.empty() || from.pc == 0) return 0;
  to[0] = from.pc;
  unwind_tables_view tables;
  return climb(from, false, bounds, to,
               [&](registers* regs, std::uintptr_t lookup_pc, stack_bounds in) {
                 return tables.step(regs, lookup_pc, in);
               });
}

std::size_t unwind_saved(registers const& from, stack_bounds bounds,
                         std::span<std::uintptr_t> to) noexcept {
  if (to.empty() || from.pc == 0) return 0;
  to[0] = from.pc;
  return climb(from, true, bounds, to, &step_by_cfi);
}

std::size_t unwind_here(stack_bounds bounds, std::span<std::uintptr_t> to) noexcept {
  if (to.empty()) return 0;
  auto const fp = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
  registers at{.sp = fp, .fp = fp};
#if defined(__aarch64__)
  asm volatile("adr %0, .\n\tmov %1, sp" : "=r"(at.pc), "=r"(at.sp));
  if (step_by_cfi(&at, at.pc, bounds) != cfi_step::stepped && !step_by_frame(&at, bounds)) return 0;
#else
  if (!step_by_frame(&at, bounds)) return 0;
#endif
  to[0] = at.pc;
  return climb(at, true, bounds, to, &step_by_cfi);
}

}  // namespace vole::symbol
