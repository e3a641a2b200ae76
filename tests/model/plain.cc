// SPDX-License-Identifier: Apache-2.0
// The shadow of plain memory, the arena behind operator new, and what the
// compiler calls at plain accesses: the product's code is built with
// -fsanitize=thread and without its runtime.

#include "plain.h"

#include <cstdlib>
#include <new>

#include "engine.h"

namespace vole::model {

constinit bool inside_case = false;

namespace {

constexpr std::size_t words_max = 1 << 14;

// What the allocations of one execution lie in.
struct arena {
  static constexpr std::size_t bytes_max = 4 << 20;
  alignas(64) char memory[bytes_max];
  std::size_t used = 0;

  bool has(void const* p) const noexcept {
    auto const* const at = static_cast<char const*>(p);
    return at >= memory && at < memory + bytes_max;
  }
};
constinit arena the_arena{};

constexpr std::size_t header = 16;

void* allocate(std::size_t bytes, std::size_t align) {
  if (!inside_case) {
    void* const p = std::aligned_alloc(align, (bytes + align) / align * align);
    if (p == nullptr) std::abort();
    return p;
  }
  arena& in = the_arena;
  std::size_t const from = (in.used + header + align - 1) / align * align;
  if (from + bytes > arena::bytes_max) std::abort();
  in.used = from + bytes;
  __builtin_memcpy(in.memory + from - header, &bytes, sizeof bytes);
  return in.memory + from;
}

void deallocate(void* p) noexcept {
  if (!the_arena.has(p)) {
    std::free(p);
    return;
  }
  if (!inside_case) return;
  std::size_t bytes = 0;
  __builtin_memcpy(&bytes, static_cast<char*>(p) - header, sizeof bytes);
  the_engine().freed(p, bytes);
}

bool races(plain_access const& a, plain_access const& b, view const& seen) noexcept {
  return a.thread != b.thread && (a.mask & b.mask) != 0 && (a.writes || b.writes) &&
         seen.clock[a.thread] < a.clock;
}

}  // namespace

void shadow::reset() noexcept {
  if (words_.empty()) words_.resize(words_max);
  ++round_;
  used_ = 0;
  the_arena.used = 0;
}

shadow::word& shadow::at(std::uintptr_t key) {
  for (std::size_t i = (key * 0x9e3779b97f4a7c15U) >> 50;; ++i) {
    word& w = words_[i % words_max];
    if (w.round == round_ && w.key == key) return w;
    if (w.round == round_) continue;
    if (++used_ > words_max * 3 / 4) std::abort();  // a case is small
    w.round = round_;
    w.key = key;
    w.count = 0;
    w.freed = false;
    return w;
  }
}

shadow::conflict shadow::access(void const* start, std::size_t bytes, plain_access a,
                                view const& seen) {
  auto address = reinterpret_cast<std::uintptr_t>(start);
  std::uintptr_t const end = address + bytes;
  while (address < end) {
    std::uintptr_t const next = (address | 7) + 1;
    std::uintptr_t const stop = next < end ? next : end;
    a.mask = static_cast<std::uint8_t>(((1U << (stop - address)) - 1) << (address & 7));
    word& w = at(address >> 3);
    if (w.freed) return {true, true, a};
    std::size_t place = w.count;
    for (std::size_t i = 0; i < w.count; ++i) {
      if (races(w.last[i], a, seen)) return {true, false, w.last[i]};
      // Its own older access is no longer needed where the new one covers it.
      if (w.last[i].thread == a.thread && (w.last[i].mask & ~a.mask) == 0 &&
          (a.writes || !w.last[i].writes)) {
        place = i;
      }
    }
    if (place == w.last.size()) place = a.thread % w.last.size();
    w.last[place] = a;
    if (place == w.count) ++w.count;
    address = stop;
  }
  return {};
}

void shadow::free(void const* start, std::size_t bytes) {
  if (bytes > 1024) return;  // as many words cost more than they find
  auto const first = reinterpret_cast<std::uintptr_t>(start);
  for (std::uintptr_t a = first; a < first + bytes; a += 8) at(a >> 3).freed = true;
}

static void look(void const* at, std::size_t bytes, bool writes, void const* pc) {
  if (inside_case) the_engine().plain(at, bytes, writes, pc);
}

}  // namespace vole::model

void* operator new(std::size_t bytes) {
  return vole::model::allocate(bytes, 16);
}
void* operator new(std::size_t bytes, std::align_val_t align) {
  return vole::model::allocate(bytes, static_cast<std::size_t>(align));
}
void operator delete(void* p) noexcept {
  vole::model::deallocate(p);
}
void operator delete(void* p, std::size_t) noexcept {
  vole::model::deallocate(p);
}
void operator delete(void* p, std::align_val_t) noexcept {
  vole::model::deallocate(p);
}
void operator delete(void* p, std::size_t, std::align_val_t) noexcept {
  vole::model::deallocate(p);
}

// --- what GCC calls; the names are its own

#define VOLE_PLAIN(name, bytes, writes)                                \
  extern "C" void __tsan_##name##bytes(void* at) {                     \
    vole::model::look(at, bytes, writes, __builtin_return_address(0)); \
  }                                                                    \
  extern "C" void __tsan_unaligned_##name##bytes(void* at) {           \
    vole::model::look(at, bytes, writes, __builtin_return_address(0)); \
  }

VOLE_PLAIN(read, 1, false)
VOLE_PLAIN(read, 2, false)
VOLE_PLAIN(read, 4, false)
VOLE_PLAIN(read, 8, false)
VOLE_PLAIN(read, 16, false)
VOLE_PLAIN(write, 1, true)
VOLE_PLAIN(write, 2, true)
VOLE_PLAIN(write, 4, true)
VOLE_PLAIN(write, 8, true)
VOLE_PLAIN(write, 16, true)

extern "C" {
void __tsan_read_range(void* at, unsigned long bytes) {
  vole::model::look(at, bytes, false, __builtin_return_address(0));
}
void __tsan_write_range(void* at, unsigned long bytes) {
  vole::model::look(at, bytes, true, __builtin_return_address(0));
}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_init() {}
// Of the guards of local statics, and of what the test framework keeps.
unsigned char __tsan_atomic8_load(unsigned char const volatile* at, int) {
  return *at;
}
int __tsan_atomic32_load(int const volatile* at, int) {
  return *at;
}
long __tsan_atomic64_load(long const volatile* at, int) {
  return *at;
}
void __tsan_atomic32_store(int volatile* at, int value, int) {
  *at = value;
}
void __tsan_atomic64_store(long volatile* at, long value, int) {
  *at = value;
}
void __tsan_atomic_thread_fence(int order) {
  vole::model::fence(static_cast<vole::model::memory_order>(order));
}
int __tsan_atomic32_fetch_sub(int volatile* at, int by, int) {
  int const before = *at;
  *at = before - by;
  return before;
}
int __tsan_atomic32_fetch_add(int volatile* at, int by, int) {
  int const before = *at;
  *at = before + by;
  return before;
}
}
