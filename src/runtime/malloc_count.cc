// SPDX-License-Identifier: Apache-2.0
//
// Allocation counters, one slot per thread.
//
// INVARIANTS
//   - A slot is given to one thread and never to another, so that what an ended thread counted
//     stays in the sum. The last slot is shared by all threads that came after the others were
//     taken.
//   - Sums are monotonic: each counter only grows.
// LOCKS none. ORDERING all relaxed: a counter orders nothing, and a reader that wants to see the
//   blocks of other threads has synchronised with them by other means before.
// REJECTED counters hashed by thread into shared slots with fetch_add: 10 ns per allocation instead
//   of 1.

#include "runtime/malloc_count.h"

#include <algorithm>

#include "vole/internal/atomic.h"

namespace vole::internal::malloc_count {
namespace {

struct alignas(64) slot {
  atomic<std::uint64_t> blocks;
  atomic<std::uint64_t> bytes;
};

constexpr std::uint32_t slots_max = 1024;
constinit slot slots[slots_max];
constinit slot& shared_slot = slots[slots_max - 1];
constinit atomic<std::uint32_t> slots_taken{0};

// Initial-exec: the first touch of another model may call malloc.
[[gnu::tls_model("initial-exec")]] constinit thread_local slot* own_slot = nullptr;

[[gnu::cold, gnu::noinline]] slot* take_slot() noexcept {
  // relaxed, no partner: the number alone is shared.
  std::uint32_t const index = slots_taken.fetch_add(1, memory_order_relaxed);
  own_slot = &slots[std::min(index, slots_max - 1)];
  return own_slot;
}

}  // namespace

void add(std::size_t bytes) noexcept {
  slot* s = own_slot;
  if (s == nullptr) [[unlikely]]
    s = take_slot();
  if (s == &shared_slot) [[unlikely]] {
    // relaxed, no partner: see ORDERING.
    s->blocks.fetch_add(1, memory_order_relaxed);
    s->bytes.fetch_add(bytes, memory_order_relaxed);
    return;
  }
  // relaxed, no partner: see ORDERING; nobody else writes this slot, so no read-modify-write is
  // needed.
  s->blocks.store(s->blocks.load(memory_order_relaxed) + 1, memory_order_relaxed);
  s->bytes.store(s->bytes.load(memory_order_relaxed) + bytes, memory_order_relaxed);
}

totals read() noexcept {
  totals sum;
  // relaxed, no partner: see ORDERING.
  std::uint32_t const used = std::min(slots_taken.load(memory_order_relaxed), slots_max);
  for (std::uint32_t i = 0; i < used; ++i) {
    sum.blocks += slots[i].blocks.load(memory_order_relaxed);  // relaxed, no partner: see ORDERING.
    sum.bytes += slots[i].bytes.load(memory_order_relaxed);    // relaxed, no partner: see ORDERING.
  }
  return sum;
}

}  // namespace vole::internal::malloc_count
