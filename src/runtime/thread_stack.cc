// SPDX-License-Identifier: Apache-2.0
// Where the stacks of threads lie. No shared state.

#include "runtime/thread_stack.h"

#include <cstddef>

#include "vole/go.h"

#include "base/stack_host.h"
#include "runtime/fiber.h"
#include "runtime/goroutine.h"
#include "runtime/own_stack.h"
#include "runtime/processor.h"
#include "runtime/sanitizer.h"

namespace vole::internal {

namespace {

struct roomy_call {
  void (*fn)(void*);
  void* arg;
  fiber caller;
  fiber own;
};

// Never returns, so that its frame must leave nothing behind that a sanitizer keeps of it.
[[gnu::no_sanitize_address, gnu::no_sanitize_thread]] void roomy_main(void* arg) {
  fiber_entered();
  auto& call = *static_cast<roomy_call*>(arg);
  call.fn(call.arg);
  fiber_switch(call.own, call.caller, true);
}

// Asked outside of malloc: the C library may be asked, once for each plain thread.
stack_range own_stack() noexcept {
  if (!own_stack_is_known() && current_goroutine() == nullptr) {
    announce_own_stack(this_thread_stack());
  }
  symbol::stack_bounds const bounds = own_stack_bounds(__builtin_frame_address(0));
  return {bounds.low, bounds.high};
}

bool is_on_stack_of(goroutine const& g, void const* here) noexcept {
  return here >= g.stack_low && here < g.stack_high;
}

void run_roomy_for_goroutine(void (*fn)(void*), void* arg) {
  goroutine const* const g = current_goroutine();
  if (g == nullptr || !is_on_stack_of(*g, __builtin_frame_address(0))) return fn(arg);
  blocking([&] { run_on_thread_stack(fn, arg); });
}

constexpr stack_host stacks{&own_stack, &run_roomy_for_goroutine};

}  // namespace

// As Go's systemstack: the loop that runs the goroutines of this thread stands still until one of
// them parks, and below its frames the stack is free.
void run_on_thread_stack(void (*fn)(void*), void* arg) {
  goroutine const* const g = current_goroutine();
  if (g == nullptr || !is_on_stack_of(*g, __builtin_frame_address(0))) return fn(arg);
  constexpr std::size_t red_zone_bytes = 128;
  fiber const& loop = current_worker()->loop;
  char* const top = static_cast<char*>(loop.sp) - red_zone_bytes;
  roomy_call call{fn, arg, {}, {}};
  call.own.sp = fiber_prepare(top, &roomy_main, &call);
#if VOLE_ASAN
  call.own.stack_low = loop.stack_low;
  call.own.stack_bytes = loop.stack_bytes;
  call.caller.stack_low = g->context.stack_low;
  call.caller.stack_bytes = g->context.stack_bytes;
#endif
#if VOLE_TSAN
  call.own.tsan = __tsan_create_fiber(0);
  call.caller.tsan = g->context.tsan;
#endif
  fiber_switch(call.caller, call.own);
#if VOLE_ASAN
  char const* const low = static_cast<char const*>(loop.stack_low);
  __asan_unpoison_memory_region(low, static_cast<std::size_t>(top - low));
#endif
#if VOLE_TSAN
  __tsan_destroy_fiber(call.own.tsan);
#endif
}

void install_stack_host() noexcept {
  set_stack_host(&stacks);
}

thread_stack this_thread_stack() noexcept {
  stack_range const of_thread = thread_stack_here();
  return {.low = of_thread.low, .high = of_thread.high};
}

}  // namespace vole::internal
