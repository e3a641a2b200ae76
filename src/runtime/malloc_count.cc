// SPDX-License-Identifier: Apache-2.0
//
// Allocation counters, one slot per thread.
//
// INVARIANTS
//   - A slot has one thread at a time. What an ended thread counted stays in it, and so in the sum:
//     the next owner goes on from there. The distance to its next sample stays as well; those of a
//     Poisson process remember nothing.
//   - The last slot is shared by all threads that find no other, and by those that allocate after
//     their slot went back: their last destructors.
//   - Sums are monotonic: each counter only grows.
//   - A slot goes back by the destructor of a thread-specific key, which needs neither a lock nor,
//     as one of the first 32 keys, any memory. Threads that a fork leaves behind keep theirs.
// LOCKS none.
// ORDERING all relaxed but sample_at and who has a slot: a counter orders nothing, and a reader who
//   wants to see the blocks of other threads has synchronised with them by other means before.
// REJECTED counters hashed by thread into shared slots with fetch_add: two locked instructions for
//   each allocation. A thread_local with a destructor: to register it allocates, and takes the
//   loader's lock.

#include "runtime/malloc_count.h"

#include <bit>
#include <cstdlib>
#include <new>
#include <pthread.h>

#include "runtime/malloc_hooks.h"

namespace vole::internal::malloc_count {
namespace {

constinit slot slots[slots_max];
constinit slot& shared_slot = slots[slots_max - 1];
constexpr std::size_t per_word = 64;
constinit atomic<std::uint64_t> taken[slots_max / per_word] = {};  // a bit for each slot
constinit atomic<std::size_t> words_used{0};                       // of taken

// Who reads the counters wants the hooks in the program, whatever the order of its libraries.
[[gnu::used]] bool const* const needs_hooks[] = {&malloc_hooks_linked, &new_hooks_linked};

// Initial-exec: the first touch of another model may call malloc.
[[gnu::tls_model("initial-exec")]] constinit thread_local bool slot_went_back = false;

void note_word_used(std::size_t word) noexcept {
  std::size_t used = words_used.load(memory_order_relaxed);
  // relaxed, no partner: the number alone is shared.
  while (used <= word && !words_used.compare_exchange_weak(used, word + 1, memory_order_relaxed)) {
  }
}

// Null: all are taken.
slot* take_slot() noexcept {
  for (std::size_t word = 0; word < slots_max / per_word; ++word) {
    bool const last = word == slots_max / per_word - 1;
    std::uint64_t const shared = last ? std::uint64_t{1} << (per_word - 1) : 0;
    std::uint64_t seen = taken[word].load(memory_order_relaxed);
    while (std::uint64_t const free = ~(seen | shared)) {
      std::uint64_t const bit = free & -free;
      // pairs with malloc_count.cc:give_back_slot: what the last owner wrote is seen
      if (!taken[word].compare_exchange_weak(seen, seen | bit, memory_order_acquire,
                                             memory_order_relaxed)) {
        continue;
      }
      note_word_used(word);
      return &slots[word * per_word + static_cast<std::size_t>(std::countr_zero(bit))];
    }
  }
  return nullptr;
}

// The thread ends. What it allocates from now on is few blocks.
void give_back_slot(void* at) noexcept {
  own_slot = nullptr;
  slot_went_back = true;
  auto const index = static_cast<std::size_t>(static_cast<slot*>(at) - slots);
  // pairs with malloc_count.cc:take_slot
  taken[index / per_word].fetch_and(~(std::uint64_t{1} << (index % per_word)),
                                    memory_order_release);
}

// end_key calls give_back_slot at a thread's end; false: the system has no key left, so that slots
// stay with the threads that had them. Made with the first block, so among the first keys.
bool end_key(pthread_key_t& key) noexcept {
  static constinit atomic<std::uint64_t> made{0};  // the key and one
  std::uint64_t known = made.load(memory_order_relaxed);
  if (known == 0) {
    pthread_key_t fresh{};
    if (::pthread_key_create(&fresh, &give_back_slot) != 0) return false;
    if (made.compare_exchange_strong(known, std::uint64_t{fresh} + 1, memory_order_relaxed)) {
      known = std::uint64_t{fresh} + 1;
    } else {
      ::pthread_key_delete(fresh);
    }
  }
  key = static_cast<pthread_key_t>(known - 1);
  return true;
}

}  // namespace

[[gnu::tls_model("initial-exec")]] constinit thread_local slot* own_slot = nullptr;

bool count_again(std::size_t bytes) noexcept {
  if (own_slot != nullptr) return true;
  if (!slot_went_back) own_slot = take_slot();
  if (own_slot != nullptr) {
    // Only now: it may allocate.
    if (pthread_key_t key{}; end_key(key)) ::pthread_setspecific(key, own_slot);
    return count(bytes);
  }
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

namespace {

template <class Take, class GiveBack>
bool is_counted(Take take, GiveBack give_back) noexcept {
  auto const once = [&] {
    void* block = take();
    asm volatile("" : "+r"(block) : : "memory");  // it would be left out else
    give_back(block);
  };
  once();  // gets the thread its slot
  std::uint64_t const before = slot_of_caller().blocks.load(memory_order_relaxed);
  once();
  return slot_of_caller().blocks.load(memory_order_relaxed) != before;
}

}  // namespace

hooked what_is_hooked() noexcept {
  return {.malloc = is_counted([] { return std::malloc(1); }, [](void* p) { std::free(p); }),
          .operator_new = is_counted([] { return ::operator new(1, std::nothrow); },
                                     [](void* p) { ::operator delete(p); })};
}

totals read() noexcept {
  totals sum;
  // relaxed, no partner: see ORDERING. The slots that were never taken hold zeros.
  std::size_t const used = words_used.load(memory_order_relaxed) * per_word;
  auto const add = [&](slot const& s) {
    sum.blocks += s.blocks.load(memory_order_relaxed);  // relaxed, no partner: see ORDERING.
    sum.bytes += s.bytes.load(memory_order_relaxed);    // relaxed, no partner: see ORDERING.
  };
  for (std::size_t i = 0; i < used; ++i) {
    if (&slots[i] != &shared_slot) add(slots[i]);
  }
  add(shared_slot);
  return sum;
}

}  // namespace vole::internal::malloc_count
