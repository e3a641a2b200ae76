// SPDX-License-Identifier: Apache-2.0
#pragma once
// The state of a sync::mutex in one word. Every change of it stands in this file.
//
// Bits: meaning; set by; may be
//   locked    somebody owns the mutex; who takes it, a hand-off; never stale
//   queued    the queue may hold a waiter; a waiter, under the queue lock; stale-set (list empty)
//   woken     one waiter or spinner runs to take it, unlock wakes no other; the owner, for the one
//             it is going to wake, or a spinner, for itself; never stale, never two's
//   starving  the owner hands over, newcomers must queue; a waiter that woken stood for, under the
//             queue lock; only while locked is set
// Transitions: from -> to; who, how
//   -locked-starving -> +locked       try_take: barging; a woken waiter or spinner drops woken too
//   +locked -> +queued (-woken +starving)  try_queue: fails when the mutex became free
//   +locked -starving -> -locked      try_release, begin_release: no waiter, or one is awake
//   +locked+queued-woken-starving -> +woken  begin_release: the owner goes to claim a waiter
//   +locked+woken -> -woken           drop_woken: and found none
//   +locked+woken -> -locked          release_to: and that one will compete
//   +locked+starving -> unchanged     hand-off: the owner claims a waiter that owns it from then
//   any -> -queued-starving           drop_queue: the list is empty; under the queue lock

#include <cstdint>

#include "vole/internal/atomic.h"

namespace vole::internal {

class mutex_word {
 public:
  enum : std::uint32_t { locked = 1, queued = 2, woken = 4, starving = 8 };

  constexpr mutex_word() noexcept = default;

  std::uint32_t load() const noexcept { return word_.load(memory_order_relaxed); }

  // try_take takes a free mutex; seen is updated when it fails. drop_woken: the caller is the one
  // woken stands for.
  [[nodiscard]] bool try_take(std::uint32_t& seen, bool drop_woken) noexcept {
    if ((seen & (locked | starving)) != 0) return false;
    std::uint32_t const want = (seen | locked) & ~(drop_woken ? std::uint32_t{woken} : 0U);
    // pairs with mutex_word.h:try_release, begin_release, release_to
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

  // try_release gives the mutex up if that needs nothing more: the owner's last access then.
  [[nodiscard]] bool try_release() noexcept {
    std::uint32_t seen = load();
    // An exchange that must fail would only take the word from the caches of those who spin.
    return (seen & (locked | starving)) == locked && (seen & (queued | woken)) != queued &&
           // pairs with mutex_word.h:try_take
           word_.compare_exchange_strong(seen, seen & ~locked, memory_order_release,
                                         memory_order_relaxed);
  }

  enum class release_step : std::uint8_t {
    released,   // nobody needs waking: no waiter, or one is awake already
    wake,       // claim a waiter, then release_to; woken is set for it, so no other will lose
                // meanwhile, and nobody sets starving. None to claim: drop_woken, begin again
    hand_over,  // claim a waiter and give it the mutex as it is
  };
  // begin_release is the owner's first step of giving it up; released: and its last access.
  [[nodiscard]] release_step begin_release() noexcept {
    std::uint32_t seen = load();
    while ((seen & starving) == 0) {
      if ((seen & (queued | woken)) == queued) {
        if (word_.compare_exchange_weak(seen, seen | woken, memory_order_relaxed)) {
          return release_step::wake;
        }
        // pairs with mutex_word.h:try_take
      } else if (word_.compare_exchange_weak(seen, seen & ~locked, memory_order_release,
                                             memory_order_relaxed)) {
        return release_step::released;
      }
    }
    return release_step::hand_over;
  }
  // release_to is the owner's last access when a claimed waiter will compete.
  void release_to() noexcept {
    word_.fetch_and(~locked, memory_order_release);  // pairs with mutex_word.h:try_take
  }
  void drop_woken() noexcept { word_.fetch_and(~woken, memory_order_relaxed); }

  void drop_queue() noexcept { word_.fetch_and(~(queued | starving), memory_order_relaxed); }
  void drop_starving() noexcept { word_.fetch_and(~starving, memory_order_relaxed); }

 private:
  atomic<std::uint32_t> word_{0};
};

}  // namespace vole::internal
