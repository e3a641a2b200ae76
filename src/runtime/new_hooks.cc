// SPDX-License-Identifier: Apache-2.0
//
// operator new and delete in all their forms, straight on the hooks of malloc: an allocator that
// brings operators of its own (jemalloc, mimalloc) would otherwise pass the heap profile by. Weak,
// as the hooks of malloc. No shared state.
//
// The forms that throw do so as the language says: nothing else of vole throws.
// Source: C++ [new.delete].

#include <cstddef>
#include <cstdlib>
#include <limits>
#include <new>

#include "runtime/malloc_hooks.h"
#include "runtime/sanitizer.h"

namespace vole::internal {
bool const new_hooks_linked = true;
}

#if !VOLE_ASAN && !VOLE_TSAN

namespace {

inline constexpr std::size_t no_align = 0;

// Of what is asked for, what the allocator is asked for: never nothing, since two blocks differ.
constexpr std::size_t at_least_one(std::size_t bytes) {
  return bytes == 0 ? 1 : bytes;
}
// What no multiple of align holds becomes the largest one, to which every allocator says no.
constexpr std::size_t round_up(std::size_t bytes, std::size_t align) {
  constexpr std::size_t most = std::numeric_limits<std::size_t>::max();
  if (bytes > most - (align - 1)) return most / align * align;
  return (at_least_one(bytes) + align - 1) / align * align;
}

// once_more asks the program's new handler for memory until there is some; null: it has none.
[[gnu::noinline, gnu::cold]] void* once_more(std::size_t bytes, std::size_t align) {
  while (std::new_handler const handler = std::get_new_handler()) {
    handler();
    void* const block = align == no_align ? std::malloc(bytes) : std::aligned_alloc(align, bytes);
    if (block != nullptr) return block;
  }
  return nullptr;
}

[[gnu::noinline, gnu::cold]] void* or_throw(std::size_t bytes, std::size_t align) {
  void* const block = once_more(bytes, align);
  // tidy: throw, operator new has no other way to say it
  if (block == nullptr) throw std::bad_alloc();
  return block;
}

// A handler that throws says no.
[[gnu::noinline, gnu::cold]] void* or_null(std::size_t bytes, std::size_t align) noexcept {
  try {
    return once_more(bytes, align);
  } catch (...) {
    return nullptr;
  }
}

}  // namespace

// Each spelled out, without helpers that would stand in every profile between it and malloc.

[[gnu::weak]] void* operator new(std::size_t n) {
  if (void* const block = std::malloc(at_least_one(n))) [[likely]]
    return block;
  return or_throw(at_least_one(n), no_align);
}
[[gnu::weak]] void* operator new[](std::size_t n) {
  if (void* const block = std::malloc(at_least_one(n))) [[likely]]
    return block;
  return or_throw(at_least_one(n), no_align);
}
[[gnu::weak]] void* operator new(std::size_t n, std::nothrow_t const&) noexcept {
  if (void* const block = std::malloc(at_least_one(n))) [[likely]]
    return block;
  return or_null(at_least_one(n), no_align);
}
[[gnu::weak]] void* operator new[](std::size_t n, std::nothrow_t const&) noexcept {
  if (void* const block = std::malloc(at_least_one(n))) [[likely]]
    return block;
  return or_null(at_least_one(n), no_align);
}
[[gnu::weak]] void* operator new(std::size_t n, std::align_val_t align) {
  auto const to = static_cast<std::size_t>(align);
  if (void* const block = std::aligned_alloc(to, round_up(n, to))) [[likely]]
    return block;
  return or_throw(round_up(n, to), to);
}
[[gnu::weak]] void* operator new[](std::size_t n, std::align_val_t align) {
  auto const to = static_cast<std::size_t>(align);
  if (void* const block = std::aligned_alloc(to, round_up(n, to))) [[likely]]
    return block;
  return or_throw(round_up(n, to), to);
}
[[gnu::weak]] void* operator new(std::size_t n, std::align_val_t align,
                                 std::nothrow_t const&) noexcept {
  auto const to = static_cast<std::size_t>(align);
  if (void* const block = std::aligned_alloc(to, round_up(n, to))) [[likely]]
    return block;
  return or_null(round_up(n, to), to);
}
[[gnu::weak]] void* operator new[](std::size_t n, std::align_val_t align,
                                   std::nothrow_t const&) noexcept {
  auto const to = static_cast<std::size_t>(align);
  if (void* const block = std::aligned_alloc(to, round_up(n, to))) [[likely]]
    return block;
  return or_null(round_up(n, to), to);
}

[[gnu::weak]] void operator delete(void* p) noexcept {
  std::free(p);
}
[[gnu::weak]] void operator delete[](void* p) noexcept {
  std::free(p);
}
[[gnu::weak]] void operator delete(void* p, std::size_t) noexcept {
  std::free(p);
}
[[gnu::weak]] void operator delete[](void* p, std::size_t) noexcept {
  std::free(p);
}
[[gnu::weak]] void operator delete(void* p, std::align_val_t) noexcept {
  std::free(p);
}
[[gnu::weak]] void operator delete[](void* p, std::align_val_t) noexcept {
  std::free(p);
}
[[gnu::weak]] void operator delete(void* p, std::size_t, std::align_val_t) noexcept {
  std::free(p);
}
[[gnu::weak]] void operator delete[](void* p, std::size_t, std::align_val_t) noexcept {
  std::free(p);
}
[[gnu::weak]] void operator delete(void* p, std::nothrow_t const&) noexcept {
  std::free(p);
}
[[gnu::weak]] void operator delete[](void* p, std::nothrow_t const&) noexcept {
  std::free(p);
}
[[gnu::weak]] void operator delete(void* p, std::align_val_t, std::nothrow_t const&) noexcept {
  std::free(p);
}
[[gnu::weak]] void operator delete[](void* p, std::align_val_t, std::nothrow_t const&) noexcept {
  std::free(p);
}

#endif
