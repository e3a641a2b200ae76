// SPDX-License-Identifier: Apache-2.0
#pragma once
// The malloc family and operator new of the final program: ours in front, counting and sampling,
// the program's real allocator behind. Which linkings work: docs/internals/profiles.md.

#include <cstddef>

#include "vole/internal/atomic.h"

namespace vole::internal {

// Refer to the hooks, so that the linker takes them, also where a shared allocator that comes
// before them has such functions.
extern bool const malloc_hooks_linked;
extern bool const new_hooks_linked;

// The allocator behind the hooks: libc's, or the one that is linked as a shared library or
// preloaded. Found at the first call of any. That none of them throws lets the hooks end in a jump.
struct allocator {
  atomic<void* (*)(std::size_t) noexcept> malloc;
  atomic<void (*)(void*) noexcept> free;
  atomic<void* (*)(std::size_t, std::size_t) noexcept> calloc;
  atomic<void* (*)(void*, std::size_t) noexcept> realloc;
  atomic<void* (*)(std::size_t, std::size_t) noexcept> memalign;
  atomic<void* (*)(std::size_t, std::size_t) noexcept> aligned_alloc;
  atomic<int (*)(void**, std::size_t, std::size_t) noexcept> posix_memalign;
  atomic<void* (*)(std::size_t) noexcept> valloc;
  atomic<void* (*)(std::size_t) noexcept> pvalloc;
};
[[gnu::visibility("hidden")]] extern constinit allocator real_allocator;

}  // namespace vole::internal
