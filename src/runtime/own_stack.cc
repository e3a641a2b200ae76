// SPDX-License-Identifier: Apache-2.0

#include "runtime/own_stack.h"

#include <algorithm>

#include "runtime/processor.h"

extern "C" void* __libc_stack_end;  // the loader's: where the first thread's stack began

namespace vole::internal {
namespace {

// Initial-exec: the first touch of another model may call malloc.
[[gnu::tls_model("initial-exec")]] constinit thread_local thread_stack announced{};

constexpr std::uintptr_t believable_bytes = std::uintptr_t{64} << 20;

bool within(std::uintptr_t at, std::uintptr_t low, std::uintptr_t high) noexcept {
  return at >= low && at < high;
}

// A thread that the runtime did not make. The C library lays a thread's control block on the high
// end of its stack; that of the first thread lies elsewhere, below the stack. To ask the library
// (pthread_getattr_np) would be to take a lock that it may hold when it calls malloc.
symbol::stack_bounds foreign_stack(std::uintptr_t at) noexcept {
  auto const area = reinterpret_cast<std::uintptr_t>(__builtin_thread_pointer());
  auto const first = reinterpret_cast<std::uintptr_t>(__libc_stack_end);
  std::uintptr_t const high = area > at ? area : first;
  if (high <= at || high - at > believable_bytes) return {};
  // Of what lies lower nobody needs to know.
  return {at, high};
}

// only gives the one frame that is known.
[[gnu::noinline, gnu::cold]] static std::size_t only(std::span<std::uintptr_t> to,
                                                     void const* from) noexcept {
  if (from == nullptr || to.empty()) return 0;
  to[0] = reinterpret_cast<std::uintptr_t>(from);
  return 1;
}

}  // namespace

void announce_own_stack(thread_stack stack) noexcept {
  announced = stack;
}

symbol::stack_bounds bounds_of(goroutine const& g) noexcept {
  return {reinterpret_cast<std::uintptr_t>(g.stack_low),
          reinterpret_cast<std::uintptr_t>(g.stack_high)};
}

[[gnu::noinline]] symbol::stack_bounds own_stack_bounds(void const* here) noexcept {
  auto const at = reinterpret_cast<std::uintptr_t>(here);
  if (goroutine const* const g = current_goroutine()) {
    symbol::stack_bounds const bounds = bounds_of(*g);
    if (within(at, bounds.low, bounds.high)) return bounds;
  }
  if (announced.high == 0) return foreign_stack(at);
  if (within(at, announced.low, announced.high)) return {announced.low, announced.high};
  return {};
}

[[gnu::noinline]] std::size_t unwind_own_stack(std::span<std::uintptr_t> to,
                                               void const* from) noexcept {
  // Room for the frames below this one, down to the unwinder's.
  auto* const low = static_cast<char*>(__builtin_frame_address(0)) - 4096;
  symbol::stack_bounds const bounds = own_stack_bounds(low);
  if (bounds.high == 0) return only(to, from);
  std::size_t const depth = symbol::unwind_here(bounds, to);
  std::span<std::uintptr_t> const all = to.first(depth);
  auto const first = std::ranges::find(all, reinterpret_cast<std::uintptr_t>(from));
  if (first == all.end()) return depth;
  std::ranges::copy(first, all.end(), all.begin());
  return static_cast<std::size_t>(all.end() - first);
}

}  // namespace vole::internal
