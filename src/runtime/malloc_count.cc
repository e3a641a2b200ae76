// SPDX-License-Identifier: Apache-2.0
//
// Allocation counters, one slot per thread.
//
// INVARIANTS
//   - A slot is given to one thread and never to another, so that what an ended thread counted
//     stays in the sum. The last slot is shared by all threads that came after the others were
//     taken.
//   - Sums are monotonic: each counter only grows.
// LOCKS none. ORDERING all relaxed but sample_at: a counter orders nothing, and a reader that wants
//   to see the blocks of other threads has synchronised with them by other means before.
// REJECTED counters hashed by thread into shared slots with fetch_add: two locked instructions for
//   each allocation.

#include "runtime/malloc_count.h"

#include "runtime/malloc_hooks.h"

namespace vole::internal::malloc_count {
namespace {

constexpr std::uint32_t slots_max = 1024;
constinit slot slots[slots_max];
constinit slot& shared_slot = slots[slots_max - 1];
constinit atomic<std::uint32_t> slots_taken{0};

// Who reads the counters wants the hooks in the program, whatever the order of its libraries.
[[gnu::used]] bool const* const needs_hooks[] = {&malloc_hooks_linked, &new_hooks_linked};

// Null: all are taken.
slot* take_slot() noexcept {
  // relaxed, no partner: the number alone is shared.
  std::uint32_t taken = slots_taken.load(memory_order_relaxed);
  while (taken < slots_max - 1) {
    if (slots_taken.compare_exchange_weak(taken, taken + 1, memory_order_relaxed)) {
      return &slots[taken];
    }
  }
  return nullptr;
}

}  // namespace

[[gnu::tls_model("initial-exec")]] constinit thread_local slot* own_slot = nullptr;

bool count_again(std::size_t bytes) noexcept {
  if (own_slot != nullptr) return true;
  own_slot = take_slot();
  if (own_slot != nullptr) return count(bytes);
  shared_slot.blocks.fetch_add(1, memory_order_relaxed);
  std::uint64_t const before = shared_slot.bytes.fetch_add(bytes, memory_order_relaxed);
  return before + bytes >= shared_slot.sample_at.load(memory_order_relaxed);
}

slot& slot_of_caller() noexcept {
  return own_slot == nullptr ? shared_slot : *own_slot;
}

void look_again() noexcept {
  // seq_cst: pairs with heap_sample.cc:draw, which stores this and then looks at the rate
  for (slot& s : slots) s.sample_at.store(0);
}

totals read() noexcept {
  totals sum;
  // relaxed, no partner: see ORDERING. The slots that are not taken hold zeros.
  std::uint32_t const used = slots_taken.load(memory_order_relaxed);
  auto const add = [&](slot const& s) {
    sum.blocks += s.blocks.load(memory_order_relaxed);  // relaxed, no partner: see ORDERING.
    sum.bytes += s.bytes.load(memory_order_relaxed);    // relaxed, no partner: see ORDERING.
  };
  for (std::uint32_t i = 0; i < used; ++i) add(slots[i]);
  add(shared_slot);
  return sum;
}

}  // namespace vole::internal::malloc_count
