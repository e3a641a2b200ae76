// SPDX-License-Identifier: Apache-2.0
#pragma once
// The way of samples out of a signal handler: a ring of words with one writer and one reader.
//
// INVARIANTS
//   - head_ is written by the handler of one thread only, tail_ by whoever holds the sampler's
//     lock. head_ - tail_ <= words; both only grow.
//   - What lies in [tail_, head_) is whole entries: depth, weight, goroutine id, labels id,
//     creator, pcs.
//   - A ring's cells, once mapped, stay mapped: a signal that comes late may still write to them.
//     Between captures no memory lies behind them, and what such a signal left is forgotten.
// LOCKS none on the writer's side: it runs in a signal handler.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <sys/mman.h>

#include "vole/internal/atomic.h"

#include "runtime/sample.h"

namespace vole::internal::sample {

class ring {
 public:
  // prepare maps the cells, before the first push; false: the system has no memory. The reader's.
  [[nodiscard]] bool prepare() noexcept {
    if (cells_ != nullptr) return true;
    void* const at =
        ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) return false;
    cells_ = static_cast<std::uint64_t*>(at);
    return true;
  }

  // give_back forgets what is there, and returns the memory to the system. The reader's.
  void give_back() noexcept {
    discard();
    if (cells_ != nullptr) ::madvise(cells_, bytes, MADV_DONTNEED);
  }

  // push appends a sample; false: there is no room. Safety: async-signal-safe; one thread.
  [[nodiscard]] bool push(cpu_sample const& taken) noexcept {
    std::uint64_t at = head_.load(memory_order_relaxed);
    // pairs with sample_ring.h:drain, which has read what it gives back
    std::uint64_t const used = at - tail_.load(memory_order_acquire);
    if (words - used < head_words + taken.pcs.size()) return false;
    put(at++, taken.pcs.size());
    put(at++, taken.weight);
    put(at++, taken.goroutine_id);
    put(at++, taken.labels_id);
    put(at++, taken.created_by);
    for (std::uintptr_t const pc : taken.pcs) put(at++, pc);
    head_.store(at, memory_order_release);  // pairs with sample_ring.h:drain
    return true;
  }

  // drain calls visit(cpu_sample) for all that is there. One reader.
  template <class Visit>
  void drain(Visit&& visit) {
    std::uintptr_t pcs[frames_max];
    std::uint64_t const end = head_.load(memory_order_acquire);  // pairs with sample_ring.h:push
    std::uint64_t at = tail_.load(memory_order_relaxed);
    while (at < end) {
      auto const depth = std::min(static_cast<std::size_t>(get(at)), frames_max);
      cpu_sample const taken{.goroutine_id = get(at + 2),
                             .labels_id = get(at + 3),
                             .created_by = static_cast<std::uintptr_t>(get(at + 4)),
                             .weight = get(at + 1),
                             .pcs = std::span<std::uintptr_t const>(pcs, depth)};
      at += head_words;
      for (std::size_t i = 0; i < depth; ++i) pcs[i] = static_cast<std::uintptr_t>(get(at++));
      visit(taken);
    }
    tail_.store(at, memory_order_release);  // pairs with sample_ring.h:push
  }

  // discard forgets what is there. The reader's.
  void discard() noexcept {
    // pairs with sample_ring.h:push, both ways
    tail_.store(head_.load(memory_order_acquire), memory_order_release);
  }

  // Half a second of the deepest stacks at 100 Hz; the reader comes ten times a second.
  static constexpr std::size_t words = 8192;
  static constexpr std::size_t head_words = 5;
  static constexpr std::size_t bytes = words * sizeof(std::uint64_t);

  void const* cells() const noexcept { return cells_; }  // for tests

 private:
  void put(std::uint64_t at, std::uint64_t word) noexcept { cells_[at % words] = word; }
  std::uint64_t get(std::uint64_t at) const noexcept { return cells_[at % words]; }

  atomic<std::uint64_t> head_{0};
  atomic<std::uint64_t> tail_{0};
  std::uint64_t* cells_ = nullptr;  // words of them
};

}  // namespace vole::internal::sample
