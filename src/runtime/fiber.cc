// SPDX-License-Identifier: Apache-2.0
// The layout of a fiber's first and saved frames, one per architecture, in step with
// fiber_<arch>.S.

#include "runtime/fiber.h"

#include <cstdint>

namespace vole::internal {
namespace {

#if defined(__x86_64__)
// As vole_fiber_switch pushes it, lowest address first.
struct switch_frame {
  void* r15;
  void* r14;
  void* r13;
  void* r12;
  void* rbx;
  void* rbp;
  void* pc;
};
#elif defined(__aarch64__)
struct switch_frame {
  void* x29;
  void* pc;
  void* x19;
  void* x20;
  void* rest[8];
  double d8_to_d15[8];
};
#else
#error "vole runs on x86-64 and aarch64"
#endif

}  // namespace

void* fiber_prepare(void* top, void (*fn)(void*), void* arg) noexcept {
  auto* const frame = reinterpret_cast<switch_frame*>(
      (reinterpret_cast<std::uintptr_t>(top) - 16 - sizeof(switch_frame)) & ~std::uintptr_t{15});
  *frame = {};
#if defined(__x86_64__)
  // After the seven pops the stack pointer is 8 above a multiple of 16; one slot keeps the entry's
  // call aligned.
  auto* const aligned = reinterpret_cast<switch_frame*>(reinterpret_cast<char*>(frame) + 8);
  *aligned = {};
  aligned->r12 = reinterpret_cast<void*>(fn);
  aligned->r13 = arg;
  aligned->pc = reinterpret_cast<void*>(&vole_fiber_entry);
  return aligned;
#else
  frame->x19 = reinterpret_cast<void*>(fn);
  frame->x20 = arg;
  frame->pc = reinterpret_cast<void*>(&vole_fiber_entry);
  return frame;
#endif
}

// Of a goroutine that may be made to run meanwhile: see walk_parked in dump.cc.
[[gnu::no_sanitize_address, gnu::no_sanitize_thread]] saved_frame fiber_saved_frame(
    void* sp) noexcept {
  auto const* frame = static_cast<switch_frame const*>(sp);
#if defined(__x86_64__)
  return {frame->pc, frame->rbp, static_cast<char*>(sp) + sizeof(switch_frame)};
#else
  return {frame->pc, frame->x29, static_cast<char*>(sp) + sizeof(switch_frame)};
#endif
}

}  // namespace vole::internal
