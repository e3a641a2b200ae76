// SPDX-License-Identifier: Apache-2.0
#include "symbol/unwind.h"

#include <algorithm>
#include <cstddef>
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

// What is found on the way up, as too_deep says.
class frames {
 public:
  // The first frame is in `to` already.
  frames(std::span<std::uintptr_t> to, too_deep when) noexcept
      : to_(to), keeps_root_(when == too_deep::leave_out_middle && to.size() >= 3 * root_frames) {}

  bool full() const noexcept { return count_ >= (keeps_root_ ? walked_max : to_.size()); }

  // Beyond the room the outermost ones so far go round in the last root_frames places.
  void add(std::uintptr_t pc) noexcept {
    std::size_t const over = count_ < to_.size() ? 0 : (count_ - to_.size()) % root_frames;
    to_[count_ < to_.size() ? count_ : to_.size() - root_frames + over] = pc;
    ++count_;
  }

  // finish returns how many pcs there are.
  std::size_t finish() noexcept {
    if (count_ <= to_.size()) return count_;
    std::size_t const cut = to_.size() - root_frames - 1;
    to_[cut] = frames_left_out;
    if (full()) return cut + 1;
    auto const outermost = to_.last(root_frames);
    auto const oldest = static_cast<std::ptrdiff_t>((count_ - to_.size()) % root_frames);
    std::ranges::rotate(outermost, outermost.begin() + oldest);
    return to_.size();
  }

 private:
  std::span<std::uintptr_t> to_;
  bool keeps_root_;
  std::size_t count_ = 1;
};

// climb appends the callers of `at`, whose own pc is in `to` already. is_call: at.pc is a return
// address. step: one step by unwind tables.
template <class Step>
std::size_t climb(registers at, bool is_call, stack_bounds bounds, std::span<std::uintptr_t> to,
                  too_deep when, Step&& step_by_table) noexcept {
  frames found(to, when);
  while (!found.full()) {
    cfi_step const step = step_by_table(&at, is_call ? at.pc - 1 : at.pc, bounds);
    if (step == cfi_step::outermost) break;
    if (step == cfi_step::unknown && !step_by_frame(&at, bounds)) break;
    if (at.pc == 0) break;  // the mark at the bottom of a stack
    found.add(at.pc);
    is_call = step != cfi_step::stepped_to_interrupted;
  }
  return found.finish();
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
                               std::span<std::uintptr_t> to, too_deep when) noexcept {
  if (to.empty() || from.pc == 0) return 0;
  to[0] = from.pc;
  return climb(from, false, bounds, to, when, &step_by_cfi);
}

std::size_t unwind_sampled(registers const& from, stack_bounds bounds, std::span<std::uintptr_t> to,
                           too_deep when) noexcept {
  if (to.empty() || from.pc == 0) return 0;
  to[0] = from.pc;
  unwind_tables_view tables;
  return climb(from, false, bounds, to, when,
               [&](registers* regs, std::uintptr_t lookup_pc, stack_bounds in) {
                 return tables.step(regs, lookup_pc, in);
               });
}

std::size_t unwind_saved(registers const& from, stack_bounds bounds, std::span<std::uintptr_t> to,
                         too_deep when) noexcept {
  if (to.empty() || from.pc == 0) return 0;
  to[0] = from.pc;
  return climb(from, true, bounds, to, when, &step_by_cfi);
}

std::size_t unwind_here(stack_bounds bounds, std::span<std::uintptr_t> to, too_deep when) noexcept {
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
  return climb(at, true, bounds, to, when, &step_by_cfi);
}

}  // namespace vole::symbol
