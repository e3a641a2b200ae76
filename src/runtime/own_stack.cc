// SPDX-License-Identifier: Apache-2.0

#include "runtime/own_stack.h"

#include <algorithm>

#include "runtime/processor.h"
#include "runtime/thread_stack.h"

namespace vole::internal {
namespace {

// Initial-exec: the first touch of another model may call malloc.
[[gnu::tls_model("initial-exec")]] constinit thread_local thread_stack plain_stack{};

bool within(std::uintptr_t at, std::uintptr_t low, std::uintptr_t high) noexcept {
  return at >= low && at < high;
}

}  // namespace

[[gnu::noinline]] symbol::stack_bounds own_stack_bounds(void const* here) noexcept {
  auto const at = reinterpret_cast<std::uintptr_t>(here);
  if (goroutine const* const g = current_goroutine()) {
    auto const low = reinterpret_cast<std::uintptr_t>(g->stack_low);
    auto const high = reinterpret_cast<std::uintptr_t>(g->stack_high);
    if (within(at, low, high)) return {low, high};
  }
  if (plain_stack.high == 0) plain_stack = this_thread_stack();
  if (within(at, plain_stack.low, plain_stack.high)) return {plain_stack.low, plain_stack.high};
  return {};
}

[[gnu::noinline]] std::size_t unwind_own_stack(std::span<std::uintptr_t> to,
                                               void const* from) noexcept {
  symbol::stack_bounds const bounds = own_stack_bounds(__builtin_frame_address(0));
  if (bounds.high == 0) return 0;
  std::size_t const depth = symbol::unwind_here(bounds, to);
  std::span<std::uintptr_t> const all = to.first(depth);
  auto const first = std::ranges::find(all, reinterpret_cast<std::uintptr_t>(from));
  if (first == all.end()) return depth;
  std::ranges::copy(first, all.end(), all.begin());
  return static_cast<std::size_t>(all.end() - first);
}

}  // namespace vole::internal
