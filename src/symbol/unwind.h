// SPDX-License-Identifier: Apache-2.0
#pragma once
// Who called whom: walks one stack by the unwind tables (symbol/cfi.h) and, where there is no
// table, by frame pointers. No locks, no allocation. The sampler's handler walks by tables that
// were read before (symbol/unwind_tables.h); all others read them where they lie.
//
// INVARIANTS
//   - The stack is read only inside the bounds that the caller gives, so a broken chain ends the
//     walk and never faults.
//   - Each frame lies above the one before, so the walk ends.
// REJECTED
//   - libgcc's and libunwind's unwinders in signal handlers: they take the loader's lock.
//   - frame pointers alone: Debian's libc, libstdc++ and OpenSSL keep none, so a sample in memcpy
//     loses its caller.

#include <cstddef>
#include <cstdint>
#include <span>

namespace vole::symbol {

// The memory of one stack, [low, high); it must be mapped while a walk runs.
struct stack_bounds {
  std::uintptr_t low = 0;
  std::uintptr_t high = 0;
};

// Where a walk begins. The pc is reported as it is; sp and fp find the callers.
struct registers {
  std::uintptr_t pc = 0;
  std::uintptr_t sp = 0;
  std::uintptr_t fp = 0;
  std::uintptr_t link = 0;  // aarch64: x30, where a leaf returns to; elsewhere 0
  // The handler's third argument, or null: the tables of some functions name registers other than
  // the above, which are then taken to be as they were where the signal came.
  void const* machine = nullptr;
  // False: sp is a lower bound only. A frame record of aarch64 lies anywhere in its frame, so what
  // is found by it does not say where the caller's frame begins; a table that counts from fp does.
  bool sp_known = true;
};

// What a walk does with a stack deeper than its room.
enum class too_deep {
  leave_out_outermost,
  // Keeps the innermost frames and the root_frames outermost, and writes frames_left_out between
  // them; at the end if even walked_max frames do not reach the root.
  leave_out_middle,
};
inline constexpr std::size_t root_frames = 32;  // of so many at least is the room three times
inline constexpr std::size_t walked_max = 4096;
// No return address.
inline constexpr std::uintptr_t frames_left_out = 3;

// interrupted reads the registers of the code that a signal stopped from the handler's third
// argument.
registers interrupted(void const* ucontext) noexcept;

// unwind_interrupted walks from registers that a signal may have caught anywhere, also between a
// function's first instruction and the one that makes its frame. Returns the number of pcs written
// to `to`: the interrupted one, then return addresses, innermost first.
// Safety:  async-signal-safe, by glibc's word for _dl_find_object; no module may be unloaded
//          meanwhile that the stack leads through.
std::size_t unwind_interrupted(registers const& from, stack_bounds bounds,
                               std::span<std::uintptr_t> to,
                               too_deep when = too_deep::leave_out_outermost) noexcept;

// unwind_sampled is the same for a profile: it reads the published tables and the stack, and calls
// nothing. Code of a module that came after the last refresh_unwind_tables is walked by frame
// pointers.
// Safety:  async-signal-safe.
std::size_t unwind_sampled(registers const& from, stack_bounds bounds, std::span<std::uintptr_t> to,
                           too_deep when = too_deep::leave_out_outermost) noexcept;

// unwind_saved walks from the registers of a stack that has been switched away from.
std::size_t unwind_saved(registers const& from, stack_bounds bounds, std::span<std::uintptr_t> to,
                         too_deep when = too_deep::leave_out_outermost) noexcept;

// unwind_here walks the stack it is called on; the first pc is in the function that called
// unwind_here.
std::size_t unwind_here(stack_bounds bounds, std::span<std::uintptr_t> to,
                        too_deep when = too_deep::leave_out_outermost) noexcept;

}  // namespace vole::symbol
