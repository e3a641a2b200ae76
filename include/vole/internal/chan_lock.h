// SPDX-License-Identifier: Apache-2.0
#pragma once
// The lock of a channel. As raw_mutex, but its unlock is a plain store instead of an atomic
// exchange, which halves
// what an uncontended channel operation costs.
//
// INVARIANTS
//   word_ is 1 from lock() to unlock(). sleepers_ counts the threads that sleep in the futex on
//   word_, or are about to.
// ORDERING
//   The store to word_ is unlock's last access to the lock: the next holder may free the channel.
//   So sleepers_ is read
//   before it, and a thread that goes to sleep at that moment is missed; it finds the lock by its
//   own timeout, at most
//   sleep_max later. A thread comes to sleep only when a holder has lost its CPU inside a section
//   of some ten
//   nanoseconds; then sleepers_ has long been set when the holder is back.
// REJECTED
//   A word with a "contended" value (raw_mutex): the exchange in unlock() costs 5 ns of a 6 ns
//   operation.

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
    bool const somebody_sleeps = sleepers_.load(memory_order_relaxed) != 0;
    word_.store(0, memory_order_release);  // pairs with chan_lock.h:lock and chan_lock.cc:lock_slow
    if (somebody_sleeps) [[unlikely]] {
      wake_one();
    }
  }

 private:
  void lock_slow() noexcept;
  void wake_one() noexcept;  // touches no memory: the lock may be gone

  atomic<std::uint32_t> word_{0};
  atomic<std::uint32_t> sleepers_{0};
};

}  // namespace vole::internal
