// SPDX-License-Identifier: Apache-2.0
// Stacks of plain threads, and the door to what the runtime knows.
#include "base/stack_host.h"

#include <cstddef>
#include <pthread.h>

#include "vole/internal/atomic.h"

namespace vole::internal {
namespace {

constinit atomic<stack_host const*> the_host{nullptr};

stack_host const* host() noexcept {
  return the_host.load(memory_order_acquire);  // pairs with stack_host.cc:set_stack_host
}

}  // namespace

void set_stack_host(stack_host const* host) noexcept {
  the_host.store(host, memory_order_release);  // pairs with stack_host.cc:host
}

stack_range thread_stack_here() noexcept {
  pthread_attr_t attr;
  if (::pthread_getattr_np(::pthread_self(), &attr) != 0) return {};
  void* low = nullptr;
  std::size_t bytes = 0;
  int const failure = ::pthread_attr_getstack(&attr, &low, &bytes);
  ::pthread_attr_destroy(&attr);
  if (failure != 0) return {};
  auto const at = reinterpret_cast<std::uintptr_t>(low);
  return {.low = at, .high = at + bytes};
}

namespace {

// The C library reads /proc/self/maps to answer for the first thread: it is asked once.
[[gnu::noinline]] stack_range kept_thread_stack() noexcept {
  static thread_local stack_range const kept = thread_stack_here();
  return kept;
}

}  // namespace

stack_range stack_here() noexcept {
  stack_host const* const known = host();
  return known != nullptr ? known->here() : kept_thread_stack();
}

void run_roomy(void (*fn)(void*), void* arg) {
  if (stack_host const* const known = host()) return known->run_roomy(fn, arg);
  fn(arg);
}

}  // namespace vole::internal
