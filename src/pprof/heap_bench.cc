// SPDX-License-Identifier: Apache-2.0
// What the hooks in front of malloc cost: a pair of malloc and free through them, and the same
// straight from libc.

#include <cstdlib>

#include "vole/bench.h"
#include "vole/pprof.h"

#include "runtime/sanitizer.h"

using namespace vole;

#if !VOLE_ASAN && !VOLE_TSAN

// libc's exported doors to its allocator.
extern "C" void* __libc_malloc(std::size_t bytes);
extern "C" void __libc_free(void* block);

namespace {

constexpr std::size_t bytes = 64;

[[gnu::always_inline]] inline void* seen(void* block) {
  asm volatile("" : "+r"(block) : : "memory");
  return block;
}

VOLE_BENCH(malloc_free_libc) {
  while (b.loop()) __libc_free(seen(__libc_malloc(bytes)));
}

VOLE_BENCH(malloc_free_hooked) {
  while (b.loop()) std::free(seen(std::malloc(bytes)));
}

VOLE_BENCH(malloc_free_hooked_rate_0) {
  std::size_t const rate = pprof::heap_rate();
  pprof::set_heap_rate(0);
  while (b.loop()) std::free(seen(std::malloc(bytes)));
  pprof::set_heap_rate(rate);
}

VOLE_BENCH(new_delete_hooked) {
  while (b.loop()) ::operator delete(seen(::operator new(bytes)), bytes);
}

}  // namespace

#endif
