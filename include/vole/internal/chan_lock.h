// SPDX-License-Identifier: Apache-2.0
#pragma once
// The lock of a channel. As raw_mutex, but its unlock is a plain store instead of an atomic exchange, which halves
// what an uncontended channel operation costs.
//
// INVARIANTS
//   word_ is 1 from lock() to unlock(). sleepers_ counts the threads that sleep in the futex on word_, or are about to.
// ORDERING
//   unlock() stores word_ and then loads sleepers_ with no fence between: it may miss a thread that goes to sleep at
//   that moment. Such a thread finds the lock by its own timeout, at most sleep_max later. It costs nothing when it
//   does not happen, and it takes a holder that lost its CPU inside a section of some ten nanoseconds.
// REJECTED
//   A word with a "contended" value (raw_mutex): the exchange in unlock() costs 5 ns of a 6 ns operation.

#include <cstdint>

#include "vole/internal/annotations.h"
#include "vole/internal/atomic.h"

namespace vole::internal {

class VOLE_CAPABILITY("chan_lock") chan_lock {
 public:
  constexpr chan_lock() noexcept = default;
  chan_lock(chan_lock const&) = delete;
  chan_lock& operator=(chan_lock const&) = delete;

  void lock() noexcept VOLE_ACQUIRE() {
    // pairs with chan_lock.h:unlock
    if (word_.exchange(1, memory_order_acquire) != 0) [[unlikely]] {
      lock_slow();
    }
  }
  void unlock() noexcept VOLE_RELEASE() {
    word_.store(0, memory_order_release);  // pairs with chan_lock.h:lock and chan_lock.cc:lock_slow
    if (sleepers_.load(memory_order_relaxed) != 0) [[unlikely]] {
      wake_one();
    }
  }

 private:
  void lock_slow() noexcept;
  void wake_one() noexcept;

  atomic<std::uint32_t> word_{0};
  atomic<std::uint32_t> sleepers_{0};
};

}  // namespace vole::internal
