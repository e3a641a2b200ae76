// SPDX-License-Identifier: Apache-2.0
#pragma once
// How much memory the process has taken from malloc, summed per thread, and which block is the next
// to be sampled for the heap profile. The hooks (runtime/malloc_hooks.cc, runtime/new_hooks.cc)
// call count() for every block; under a sanitizer, which has a malloc of its own, nobody does.
//
// A thread has a slot from its first block to its end; another one goes on counting in it.

#include <cstddef>
#include <cstdint>

#include "vole/internal/atomic.h"

namespace vole::internal::malloc_count {

struct alignas(64) slot {
  atomic<std::uint64_t> blocks;
  atomic<std::uint64_t> bytes;
  atomic<std::uint64_t> sample_at;  // of bytes: when it gets there, runtime/heap_sample.h looks
  atomic<std::uint64_t> rate;       // for which sample_at was drawn
};

// slots_max is how many threads count apart at the same time, the last slot left out: all others
// share that one.
inline constexpr std::size_t slots_max = 1024;

// Initial-exec: the first touch of another model may call malloc.
[[gnu::tls_model("initial-exec")]] extern constinit thread_local slot* own_slot;

// count counts one block. True: this may be a block to sample, or has not been counted yet; ask
// count_again. Safety: any thread, at any time after the start of the loader; allocates nothing.
// Cost: with heap::maybe_sampled a tenth of what a pair of malloc and free takes in libc, 1.0 to
// 1.3 ns of 11 (malloc_free_hooks_add in pprof/heap_bench.cc); two locked instructions and a call
// more for those threads that find 1,023 others at work.
inline bool count(std::size_t bytes) noexcept {
  slot* const s = own_slot;
  if (s == nullptr) [[unlikely]]
    return true;
  // relaxed, no partner: nobody else writes this slot, so no read-modify-write is needed.
  std::uint64_t const total = s->bytes.load(memory_order_relaxed) + bytes;
  s->bytes.store(total, memory_order_relaxed);
  s->blocks.store(s->blocks.load(memory_order_relaxed) + 1, memory_order_relaxed);
  return total >= s->sample_at.load(memory_order_relaxed);
}

// count_again is called for a block for which count() was true: it counts the block where the
// thread had no slot, and gives it one if there is one. True: heap_sample.h's draw() is to be
// asked.
bool count_again(std::size_t bytes) noexcept;

// slot_of_caller is the caller's slot, the shared one where it has none.
slot& slot_of_caller() noexcept;
// look_again makes count() return true for the next block of every thread.
void look_again() noexcept;

// What the hooks see of the program's allocations: an allocator that is linked statically replaces
// them by names of its own, a sanitizer likewise.
struct hooked {
  bool malloc = false;
  bool operator_new = false;
};
// what_is_hooked tries both on the calling thread. Cost: four allocations.
hooked what_is_hooked() noexcept;

struct totals {
  std::uint64_t blocks = 0;
  std::uint64_t bytes = 0;
};

// read sums what all threads have counted so far. Cost: a load per thread that ever allocated, at
// most 1,024.
totals read() noexcept;

}  // namespace vole::internal::malloc_count
