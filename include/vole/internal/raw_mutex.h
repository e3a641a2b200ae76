// SPDX-License-Identifier: Apache-2.0
#pragma once
// The lock under every primitive: spins a little, then sleeps in a futex. It stops the worker
// thread, so it guards
// short sections only and is never held over a park. No fairness. Source: Drepper, "Futexes are
// tricky", mutex 3.

#include "vole/internal/annotations.h"
#include "vole/internal/atomic.h"

namespace vole::internal {

class VOLE_CAPABILITY("raw_mutex") raw_mutex {
 public:
  constexpr raw_mutex() noexcept = default;
  raw_mutex(raw_mutex const&) = delete;
  raw_mutex& operator=(raw_mutex const&) = delete;

  void lock() noexcept VOLE_ACQUIRE() {
    int expected = free;
    // pairs with raw_mutex.h:unlock
    if (!word_.compare_exchange_strong(expected, held, memory_order_acquire)) [[unlikely]] {
      lock_slow();
    }
  }
  bool try_lock() noexcept VOLE_TRY_ACQUIRE(true) {
    int expected = free;
    // pairs with raw_mutex.h:unlock
    return word_.compare_exchange_strong(expected, held, memory_order_acquire);
  }
  void unlock() noexcept VOLE_RELEASE() {
    // pairs with raw_mutex.h:lock, try_lock and raw_mutex.cc:lock_slow
    if (word_.exchange(free, memory_order_release) == contended) [[unlikely]]
      unlock_slow();
  }

 private:
  enum : int { free = 0, held = 1, contended = 2 };  // contended: a thread may sleep on the word

  void lock_slow() noexcept;
  void unlock_slow() noexcept;

  atomic<int> word_{free};
};

class VOLE_SCOPED_CAPABILITY raw_lock {
 public:
  explicit raw_lock(raw_mutex& mu) noexcept VOLE_ACQUIRE(mu) : mu_(mu) { mu_.lock(); }
  ~raw_lock() VOLE_RELEASE() { mu_.unlock(); }
  raw_lock(raw_lock const&) = delete;
  raw_lock& operator=(raw_lock const&) = delete;

 private:
  raw_mutex& mu_;
};

}  // namespace vole::internal
