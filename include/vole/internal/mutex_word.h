// SPDX-License-Identifier: Apache-2.0
#pragma once
// The state of a sync::mutex in one word. Every change of it stands in this file.
//
// Bits: meaning; set by; may be
//   locked    somebody owns the mutex; who takes it, a hand-off; never stale
//   queued    the queue may hold a waiter; a waiter, under the queue lock; stale-set (list empty)
//   woken     a waiter runs to take it, unlock wakes no other; the owner, a spinner; never stale
//   starving  the owner hands over, newcomers must queue; a waiter, under the queue lock; only
//             while locked is set
// Transitions: from -> to; who, how
//   0 -> locked                       try_lock_free: lock(), the fast path
//   locked -> 0                       try_unlock_free: unlock(), the fast path
//   -locked-starving -> +locked       try_take: barging; a woken waiter or spinner drops woken too
//   +locked -> +queued (-woken +starving)  try_queue: fails when the mutex became free
//   +locked -> -locked +woken         release_to: the owner claimed a waiter that will compete
//   +locked+starving -> unchanged     hand-off: the owner claimed a waiter that owns it from then
//   any -> -queued-starving           drop_queue: the list is empty; under the queue lock

#include <cstdint>

#include "vole/internal/atomic.h"

namespace vole::internal {

class mutex_word {
 public:
  enum : std::uint32_t { locked = 1, queued = 2, woken = 4, starving = 8 };

  constexpr mutex_word() noexcept = default;

  [[nodiscard]] bool try_lock_free() noexcept {
    std::uint32_t expected = 0;
    // pairs with mutex_word.h:try_unlock_free, release
    return word_.compare_exchange_strong(expected, locked, memory_order_acquire,
                                         memory_order_relaxed);
  }
  [[nodiscard]] bool try_unlock_free() noexcept {
    std::uint32_t expected = locked;
    // pairs with mutex_word.h:try_lock_free, try_take
    return word_.compare_exchange_strong(expected, 0, memory_order_release, memory_order_relaxed);
  }

  std::uint32_t load() const noexcept { return word_.load(memory_order_relaxed); }

  // try_take takes a free mutex; seen is updated when it fails. drop_woken: the caller is the one
  // woken stands for.
  [[nodiscard]] bool try_take(std::uint32_t& seen, bool drop_woken) noexcept {
    if ((seen & (locked | starving)) != 0) return false;
    std::uint32_t const want = (seen | locked) & ~(drop_woken ? std::uint32_t{woken} : 0U);
    // pairs with mutex_word.h:try_unlock_free, release
    return word_.compare_exchange_weak(seen, want, memory_order_acquire, memory_order_relaxed);
  }

  // try_set_woken tells the owner that the caller, who spins, will take the mutex without being
  // woken.
  [[nodiscard]] bool try_set_woken(std::uint32_t& seen) noexcept {
    if ((seen & (locked | queued | woken | starving)) != (locked | queued)) return false;
    return word_.compare_exchange_strong(seen, seen | woken, memory_order_relaxed);
  }

  // try_queue announces a waiter; the caller holds the queue lock. False: the mutex may be free
  // now, look again.
  [[nodiscard]] bool try_queue(std::uint32_t& seen, bool drop_woken, bool starve) noexcept {
    if ((seen & locked) == 0) return false;
    std::uint32_t const want = (seen | queued | (starve ? std::uint32_t{starving} : 0U)) &
                               ~(drop_woken ? std::uint32_t{woken} : 0U);
    return word_.compare_exchange_weak(seen, want, memory_order_relaxed);
  }

  // release gives the mutex up for good: the caller may not touch it again. wake: a claimed waiter
  // will compete.
  void release(bool wake) noexcept {
    std::uint32_t seen = load();
    // pairs with mutex_word.h:try_lock_free, try_take
    while (!word_.compare_exchange_weak(seen, (seen & ~locked) | (wake ? std::uint32_t{woken} : 0U),
                                        memory_order_release, memory_order_relaxed)) {
    }
  }
  // try_release gives it up if nobody needs waking: no waiter, or one is awake already.
  [[nodiscard]] bool try_release(std::uint32_t& seen) noexcept {
    if ((seen & queued) != 0 && (seen & woken) == 0) return false;
    if ((seen & starving) != 0) return false;
    // pairs with mutex_word.h:try_lock_free, try_take
    return word_.compare_exchange_weak(seen, seen & ~locked, memory_order_release,
                                       memory_order_relaxed);
  }

  void drop_queue() noexcept { word_.fetch_and(~(queued | starving), memory_order_relaxed); }
  void drop_woken() noexcept { word_.fetch_and(~woken, memory_order_relaxed); }
  void drop_starving() noexcept { word_.fetch_and(~starving, memory_order_relaxed); }

 private:
  atomic<std::uint32_t> word_{0};
};

}  // namespace vole::internal
