// SPDX-License-Identifier: Apache-2.0
//
// The malloc family in front of the program's allocator. The names are weak: a program that brings
// functions of its own keeps them, and is not sampled.
//
// INVARIANTS
//   - Every block goes back to the allocator that it came from: real_allocator is found once,
//     before the first block is handed out, and never changes. Blocks that the search itself needs
//     come from early_room and are never given back.
//   - A sampled block is taken out of the heap profile before it goes back
//     (runtime/heap_sample.h).
// LOCKS  none.
// ORDERING  real_allocator is filled by the first allocation of the process, which the loader makes
//           on its only thread; all loads are relaxed.
// Source: glibc manual, "Replacing malloc"; dlsym(3), RTLD_NEXT.

#include "runtime/malloc_hooks.h"

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <dlfcn.h>

#include "runtime/heap_sample.h"
#include "runtime/sanitizer.h"

namespace vole::internal {
bool const malloc_hooks_linked = true;
}

#if !VOLE_ASAN && !VOLE_TSAN

namespace vole::internal {
namespace {

// --- how the allocator behind is found ---

// The search may allocate. Its blocks are few and stay.
alignas(64) constinit char early_room[4096];
constinit std::size_t early_used = 0;
constinit bool searching = false;

bool is_early(void const* block) noexcept {
  auto const at = reinterpret_cast<std::uintptr_t>(block);
  auto const room = reinterpret_cast<std::uintptr_t>(&early_room[0]);
  return at >= room && at < room + sizeof early_room;
}

void* early_malloc(std::size_t align, std::size_t bytes) noexcept {
  std::size_t const from = (early_used + align - 1) / align * align;
  if (from > sizeof early_room || bytes > sizeof early_room - from) return nullptr;
  early_used = from + bytes;
  return &early_room[from];
}

template <class Fn>
void find(atomic<Fn>& to, char const* name) noexcept {
  // No allocator behind this one has no such function, libc's comes last.
  to.store(reinterpret_cast<Fn>(::dlsym(RTLD_NEXT, name)), memory_order_relaxed);
}

// False: this is the search's own allocation.
[[gnu::cold]] bool find_real_allocator() noexcept {
  if (searching) return false;
  searching = true;
  find(real_allocator.calloc, "calloc");
  find(real_allocator.realloc, "realloc");
  find(real_allocator.memalign, "memalign");
  find(real_allocator.aligned_alloc, "aligned_alloc");
  find(real_allocator.posix_memalign, "posix_memalign");
  find(real_allocator.valloc, "valloc");
  find(real_allocator.pvalloc, "pvalloc");
  find(real_allocator.free, "free");
  find(real_allocator.malloc, "malloc");
  searching = false;
  return true;
}

constexpr std::size_t word_align = alignof(std::max_align_t);

void* first_malloc(std::size_t bytes) noexcept {
  if (!find_real_allocator()) return early_malloc(word_align, bytes);
  return real_allocator.malloc.load(memory_order_relaxed)(bytes);
}
void first_free(void* block) noexcept {
  // Before the first malloc there is nothing to give back but what the search has taken.
  if (is_early(block) || !find_real_allocator()) return;
  real_allocator.free.load(memory_order_relaxed)(block);
}
void* first_calloc(std::size_t count, std::size_t bytes) noexcept {
  if (!find_real_allocator()) {
    std::size_t all = 0;
    if (__builtin_mul_overflow(count, bytes, &all)) return nullptr;
    return early_malloc(word_align, all);  // zero from the start
  }
  return real_allocator.calloc.load(memory_order_relaxed)(count, bytes);
}
void* first_realloc(void* block, std::size_t bytes) noexcept {
  if (!find_real_allocator()) return nullptr;
  return real_allocator.realloc.load(memory_order_relaxed)(block, bytes);
}
void* first_memalign(std::size_t align, std::size_t bytes) noexcept {
  if (!find_real_allocator()) return early_malloc(align, bytes);
  return real_allocator.memalign.load(memory_order_relaxed)(align, bytes);
}
void* first_aligned_alloc(std::size_t align, std::size_t bytes) noexcept {
  if (!find_real_allocator()) return early_malloc(align, bytes);
  return real_allocator.aligned_alloc.load(memory_order_relaxed)(align, bytes);
}
int first_posix_memalign(void** block, std::size_t align, std::size_t bytes) noexcept {
  if (!find_real_allocator()) return ENOMEM;
  return real_allocator.posix_memalign.load(memory_order_relaxed)(block, align, bytes);
}
void* first_valloc(std::size_t bytes) noexcept {
  if (!find_real_allocator()) return nullptr;
  return real_allocator.valloc.load(memory_order_relaxed)(bytes);
}
void* first_pvalloc(std::size_t bytes) noexcept {
  if (!find_real_allocator()) return nullptr;
  return real_allocator.pvalloc.load(memory_order_relaxed)(bytes);
}

// --- the slow paths ---

// looked_at makes one allocation for which count() was true.
template <class Allocate>
[[gnu::cold, gnu::noinline]] void* looked_at(std::size_t bytes, void const* from,
                                             Allocate allocate) noexcept {
  bool const chosen = malloc_count::count_again(bytes) && heap::draw();
  void* const block = allocate();
  if (chosen && block != nullptr) heap::record(block, bytes, from);
  return block;
}

[[gnu::cold, gnu::noinline]] void free_looked_at(void* block) noexcept {
  if (is_early(block)) return;
  heap::take(block);
  real_allocator.free.load(memory_order_relaxed)(block);
}

}  // namespace

constinit allocator real_allocator{&first_malloc,         &first_free,     &first_calloc,
                                   &first_realloc,        &first_memalign, &first_aligned_alloc,
                                   &first_posix_memalign, &first_valloc,   &first_pvalloc};

}  // namespace vole::internal

using vole::internal::looked_at;
using vole::internal::memory_order_relaxed;
using vole::internal::real_allocator;
namespace heap = vole::internal::heap;
using vole::internal::malloc_count::count;

extern "C" {
#pragma GCC visibility push(default)  // for the program's shared libraries too

[[gnu::weak]] void* malloc(std::size_t bytes) noexcept {
  if (count(bytes)) [[unlikely]] {
    return looked_at(bytes, __builtin_return_address(0),
                     [bytes] { return real_allocator.malloc.load(memory_order_relaxed)(bytes); });
  }
  return real_allocator.malloc.load(memory_order_relaxed)(bytes);
}

[[gnu::weak]] void free(void* block) noexcept {
  if (heap::maybe_sampled(block)) [[unlikely]]
    return vole::internal::free_looked_at(block);
  real_allocator.free.load(memory_order_relaxed)(block);
}

[[gnu::weak]] void* calloc(std::size_t items, std::size_t bytes) noexcept {
  auto* const real = real_allocator.calloc.load(memory_order_relaxed);
  std::size_t all = 0;
  if (!__builtin_mul_overflow(items, bytes, &all) && count(all)) [[unlikely]] {
    return looked_at(all, __builtin_return_address(0),
                     [real, items, bytes] { return real(items, bytes); });
  }
  return real(items, bytes);
}

[[gnu::weak]] void* realloc(void* block, std::size_t bytes) noexcept {
  auto* const real = real_allocator.realloc.load(memory_order_relaxed);
  heap::taken_block was;
  if (heap::maybe_sampled(block)) [[unlikely]]
    was = heap::take(block);
  void* moved = nullptr;
  if (count(bytes)) [[unlikely]] {
    moved = looked_at(bytes, __builtin_return_address(0),
                      [real, block, bytes] { return real(block, bytes); });
  } else {
    moved = real(block, bytes);
  }
  if (moved == nullptr && bytes != 0) [[unlikely]]
    heap::put_back(block, was);  // nothing has changed
  return moved;
}

[[gnu::weak]] void* memalign(std::size_t align, std::size_t bytes) noexcept {
  auto* const real = real_allocator.memalign.load(memory_order_relaxed);
  if (count(bytes)) [[unlikely]] {
    return looked_at(bytes, __builtin_return_address(0),
                     [real, align, bytes] { return real(align, bytes); });
  }
  return real(align, bytes);
}

[[gnu::weak]] void* aligned_alloc(std::size_t align, std::size_t bytes) noexcept {
  auto* const real = real_allocator.aligned_alloc.load(memory_order_relaxed);
  if (count(bytes)) [[unlikely]] {
    return looked_at(bytes, __builtin_return_address(0),
                     [real, align, bytes] { return real(align, bytes); });
  }
  return real(align, bytes);
}

[[gnu::weak]] int posix_memalign(void** block, std::size_t align, std::size_t bytes) noexcept {
  auto* const real = real_allocator.posix_memalign.load(memory_order_relaxed);
  if (!count(bytes)) [[likely]]
    return real(block, align, bytes);
  int failure = 0;
  looked_at(bytes, __builtin_return_address(0), [&] {
    failure = real(block, align, bytes);
    return failure == 0 ? *block : nullptr;
  });
  return failure;
}

[[gnu::weak]] void* valloc(std::size_t bytes) noexcept {
  auto* const real = real_allocator.valloc.load(memory_order_relaxed);
  if (count(bytes)) [[unlikely]] {
    return looked_at(bytes, __builtin_return_address(0), [real, bytes] { return real(bytes); });
  }
  return real(bytes);
}

[[gnu::weak]] void* pvalloc(std::size_t bytes) noexcept {
  auto* const real = real_allocator.pvalloc.load(memory_order_relaxed);
  if (count(bytes)) [[unlikely]] {
    return looked_at(bytes, __builtin_return_address(0), [real, bytes] { return real(bytes); });
  }
  return real(bytes);
}

#pragma GCC visibility pop
}  // extern "C"

#endif
