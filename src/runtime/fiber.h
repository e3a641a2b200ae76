// SPDX-License-Identifier: Apache-2.0
#pragma once
// The bare mechanism: a stack pointer one can switch to. The only assembly of vole stands in
// fiber_<arch>.S.
//
// A switch saves the callee-saved registers on the old stack and nothing else: floating-point
// control words belong to the
// thread (a goroutine that changes the rounding mode restores it before it parks). CFI is right at
// every instruction, and the
// chain ends at vole_fiber_entry, so that gdb, the profiler and the unwinder stop there.

#include <cstddef>
#include <utility>

#include "runtime/sanitizer.h"

extern "C" {
// Saves the caller's registers and stack pointer to *from, then continues the fiber whose pointer
// is to. What the caller stored before is seen by others before *from is, and before what the
// continued fiber stores (x86-64: in any case).
void vole_fiber_switch(void** from, void* to) noexcept;
// The first frame of each fiber: calls its function with its argument; the function does not
// return.
void vole_fiber_entry() noexcept;
}

namespace vole::internal {

struct fiber {
  void* sp = nullptr;  // null while it runs, and while it is on its way to or from there
#if VOLE_ASAN
  void* fake_stack = nullptr;
  void const* stack_low = nullptr;
  std::size_t stack_bytes = 0;
#endif
#if VOLE_TSAN
  void* tsan = nullptr;
#endif
};

// fiber_prepare lays out the first frame below top (16-byte aligned), so that a switch enters
// fn(arg).
void* fiber_prepare(void* top, void (*fn)(void*), void* arg) noexcept;

// fiber_saved_frame gives the frame pointer and resume address of a fiber that does not run, for
// the unwinder.
struct saved_frame {
  void* pc;
  void* fp;
  void* sp;
};
saved_frame fiber_saved_frame(void* sp) noexcept;

// fiber_switch leaves from for to. ending: from will never run again.
inline void fiber_switch(fiber& from, fiber& to, [[maybe_unused]] bool ending = false) noexcept {
#if VOLE_ASAN
  __sanitizer_start_switch_fiber(ending ? nullptr : &from.fake_stack, to.stack_low, to.stack_bytes);
#endif
#if VOLE_TSAN
  __tsan_switch_to_fiber(to.tsan, 0);
#endif
  vole_fiber_switch(&from.sp, std::exchange(to.sp, nullptr));
#if VOLE_ASAN
  __sanitizer_finish_switch_fiber(from.fake_stack, nullptr, nullptr);
#endif
}

// fiber_entered is the first thing a new fiber does.
inline void fiber_entered() noexcept {
#if VOLE_ASAN
  __sanitizer_finish_switch_fiber(nullptr, nullptr, nullptr);
#endif
}

}  // namespace vole::internal
