// SPDX-License-Identifier: Apache-2.0

#include "runtime/own_stack.h"

#include <algorithm>
#include <cerrno>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/processor.h"

extern "C" void* __libc_stack_end;  // the loader's: where the first thread's stack began

namespace vole::internal {
namespace {

// Initial-exec: the first touch of another model may call malloc.
[[gnu::tls_model("initial-exec")]] constinit thread_local thread_stack announced{};

bool within(std::uintptr_t at, std::uintptr_t low, std::uintptr_t high) noexcept {
  return at >= low && at < high;
}

// can_be_read asks the kernel, which reads a signal mask before it sees that there is no operation
// of that number. The memory map alone does not say it: a guard page is mapped.
bool can_be_read(std::uintptr_t page) noexcept {
  constexpr int no_operation = -1;
  constexpr std::size_t mask_bytes = 8;
  long const result = ::syscall(SYS_rt_sigprocmask, no_operation, page, nullptr, mask_bytes);
  return result == 0 || errno != EFAULT;
}

// only gives the one frame that is known.
[[gnu::noinline, gnu::cold]] static std::size_t only(std::span<std::uintptr_t> to,
                                                     void const* from) noexcept {
  if (from == nullptr || to.empty()) return 0;
  to[0] = reinterpret_cast<std::uintptr_t>(from);
  return 1;
}

}  // namespace

// The C library lays a thread's control block on the high end of its stack; that of the first
// thread lies elsewhere, below the stack. To ask the library (pthread_getattr_np) would be to take
// a lock that it may hold when it calls malloc. A foreign fiber's stack has neither above it, and
// there may be holes up to where they are.
symbol::stack_bounds foreign_stack(std::uintptr_t at) noexcept {
  constexpr std::uintptr_t page_bytes = 4096;  // none is smaller
  int const saved_errno = errno;
  auto const area = reinterpret_cast<std::uintptr_t>(__builtin_thread_pointer());
  auto const first = reinterpret_cast<std::uintptr_t>(__libc_stack_end);
  std::uintptr_t const end = std::min(area > at ? area : first, at + foreign_bytes_max);
  std::uintptr_t low = at / page_bytes * page_bytes;
  if (!can_be_read(low)) low += page_bytes;
  std::uintptr_t high = low;
  while (high < end && can_be_read(high)) high += page_bytes;
  errno = saved_errno;
  high = std::min(high, end);
  low = std::max(low, at);
  return low < high ? symbol::stack_bounds{low, high} : symbol::stack_bounds{};
}

void announce_own_stack(thread_stack stack) noexcept {
  announced = stack;
}

bool own_stack_is_known() noexcept {
  return announced.high != 0;
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
  if (within(at, announced.low, announced.high)) return {announced.low, announced.high};
  return foreign_stack(at);
}

[[gnu::noinline]] std::size_t unwind_own_stack(std::span<std::uintptr_t> to,
                                               void const* from) noexcept {
  // Room for the frames below this one, down to the unwinder's.
  auto* const low = static_cast<char*>(__builtin_frame_address(0)) - 4096;
  symbol::stack_bounds const bounds = own_stack_bounds(low);
  if (bounds.high == 0) return only(to, from);
  std::size_t const depth = symbol::unwind_here(bounds, to, symbol::too_deep::leave_out_middle);
  std::span<std::uintptr_t> const all = to.first(depth);
  auto const first = std::ranges::find(all, reinterpret_cast<std::uintptr_t>(from));
  if (first == all.end()) return depth;
  std::ranges::copy(first, all.end(), all.begin());
  return static_cast<std::size_t>(all.end() - first);
}

}  // namespace vole::internal
