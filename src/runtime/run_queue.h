// SPDX-License-Identifier: Apache-2.0
#pragma once
// A processor's run queue: one owner pushes and pops, anyone steals.
//
// INVARIANTS
//   head_ and tail_ only grow; tail_ - head_ is in [0, capacity]; slots [head_, tail_) hold
//   runnable goroutines.
//   Only the owner writes tail_ and slots. Owner and thieves take by advancing head_ with
//   compare-exchange.
//   next_ is the goroutine made ready last; it runs before the ring and inherits the time slice.
// ORDERING  a slot is read before the compare-exchange that takes it, and used only if that
//           succeeds: the owner cannot
//           overwrite it while head_ has not passed it. tail_ release pairs with its acquire in
//           steal_into; head_ release
//           in take/steal pairs with its acquire in push (the slot is free again).
// Source: Go runtime/proc.go runqput, runqget, runqgrab. Differs: runnext is bounded by a streak
// (processor.h:take_local), not by preemption.

#include <cstdint>

#include "runtime/goroutine.h"

namespace vole::internal {

// A chain of goroutines linked by next, with its length.
struct goroutine_chain {
  goroutine* first = nullptr;
  goroutine* last = nullptr;
  std::size_t count = 0;

  void push(goroutine* g) noexcept {
    g->next = nullptr;
    (first == nullptr ? first : last->next) = g;
    last = g;
    ++count;
  }
  // take_nth takes out the one that nth others stand before.
  goroutine* take_nth(std::size_t nth) noexcept {
    if (nth == 0) return pop();
    goroutine* before = first;
    while (--nth > 0) before = before->next;
    goroutine* const g = before->next;
    before->next = g->next;
    if (g == last) last = before;
    --count;
    return g;
  }
  goroutine* pop() noexcept {
    goroutine* const g = first;
    if (g != nullptr) {
      first = g->next;
      --count;
    }
    return g;
  }
};

class run_queue {
 public:
  static constexpr std::uint32_t capacity = 256;

  // put_next makes g run next and returns the goroutine that it displaced, or null. Owner only.
  goroutine* put_next(goroutine* g) noexcept {
    // Only the owner fills an empty slot; thieves put null over null, whatever the order.
    if (next_.load(memory_order_relaxed) == nullptr) {
      next_.store(g, memory_order_release);  // pairs with run_queue.h:take_next, steal_next
      return nullptr;
    }
    // pairs with run_queue.h:take_next, steal_next
    return next_.exchange(g, memory_order_acq_rel);
  }
  goroutine* take_next() noexcept {
    if (next_.load(memory_order_relaxed) == nullptr) return nullptr;
    // pairs with run_queue.h:steal_next
    return next_.exchange(nullptr, memory_order_acq_rel);
  }
  goroutine* steal_next() noexcept { return take_next(); }
  bool has_next() const noexcept { return next_.load(memory_order_relaxed) != nullptr; }

  // push appends g. When the ring is full, half of it and g go to the chain instead. Owner only.
  void push(goroutine* g, goroutine_chain& overflow) noexcept {
    while (true) {
      // pairs with run_queue.h:take, steal_into
      std::uint32_t const head = head_.load(memory_order_acquire);
      std::uint32_t const tail = tail_.load(memory_order_relaxed);
      if (tail - head < capacity) {
        slots_[tail % capacity].store(g, memory_order_relaxed);
        // pairs with run_queue.h:steal_into
        tail_.store(tail + 1, memory_order_release);
        return;
      }
      if (take_half(head, tail, overflow)) {
        overflow.push(g);
        return;
      }
    }
  }

  // take pops the oldest. Owner only.
  goroutine* take() noexcept {
    // pairs with run_queue.h:steal_into
    std::uint32_t head = head_.load(memory_order_acquire);
    while (head != tail_.load(memory_order_relaxed)) {
      goroutine* const g = slots_[head % capacity].load(memory_order_relaxed);
      // Each lies on a page of its own: the next but one is fetched meanwhile, whatever is there.
      __builtin_prefetch(slots_[(head + 2) % capacity].load(memory_order_relaxed));
      // pairs with run_queue.h:push
      if (head_.compare_exchange_weak(head, head + 1, memory_order_acq_rel, memory_order_acquire)) {
        return g;
      }
    }
    return nullptr;
  }

  // steal_into moves half of this queue's ring to the thief's, which must be empty, and returns one
  // of them.
  goroutine* steal_into(run_queue& thief) noexcept {
    std::uint32_t const to = thief.tail_.load(memory_order_relaxed);
    while (true) {
      // pairs with run_queue.h:take, steal_into
      std::uint32_t head = head_.load(memory_order_acquire);
      // pairs with run_queue.h:push
      std::uint32_t const tail = tail_.load(memory_order_acquire);
      std::uint32_t n = tail - head;
      n -= n / 2;
      if (n == 0) return nullptr;
      if (n > capacity / 2) continue;  // head and tail of different moments
      for (std::uint32_t i = 0; i < n; ++i) {
        goroutine* const g = slots_[(head + i) % capacity].load(memory_order_relaxed);
        thief.slots_[(to + i) % capacity].store(g, memory_order_relaxed);
      }
      // pairs with run_queue.h:push
      if (head_.compare_exchange_strong(head, head + n, memory_order_acq_rel,
                                        memory_order_relaxed)) {
        goroutine* const last = thief.slots_[(to + n - 1) % capacity].load(memory_order_relaxed);
        // pairs with run_queue.h:steal_into
        if (n > 1) thief.tail_.store(to + n - 1, memory_order_release);
        return last;
      }
    }
  }

  // size is exact for the owner when nobody steals, a hint otherwise.
  std::uint32_t size() const noexcept {
    std::uint32_t const n = tail_.load(memory_order_relaxed) - head_.load(memory_order_relaxed);
    return n > capacity ? 0 : n;
  }
  bool empty() const noexcept { return size() == 0 && !has_next(); }

 private:
  bool take_half(std::uint32_t head, std::uint32_t tail, goroutine_chain& to) noexcept {
    std::uint32_t const n = (tail - head) / 2;
    goroutine* batch[capacity / 2];
    for (std::uint32_t i = 0; i < n; ++i) {
      batch[i] = slots_[(head + i) % capacity].load(memory_order_relaxed);
    }
    // pairs with run_queue.h:take, steal_into
    if (!head_.compare_exchange_strong(head, head + n, memory_order_acq_rel,
                                       memory_order_relaxed)) {
      return false;
    }
    for (std::uint32_t i = 0; i < n; ++i) to.push(batch[i]);
    return true;
  }

  alignas(64) atomic<std::uint32_t> head_{0};
  alignas(64) atomic<std::uint32_t> tail_{0};
  atomic<goroutine*> next_{nullptr};
  atomic<goroutine*> slots_[capacity] = {};
};

}  // namespace vole::internal
