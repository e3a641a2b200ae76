// SPDX-License-Identifier: Apache-2.0
#pragma once
// sync::mutex: mutual exclusion among goroutines. A waiter parks its goroutine, never its worker.
//
// INVARIANTS  see vole/internal/mutex_word.h for the word; a waiter in the queue has its ticket
//             unclaimed, or is being
//             dropped by its owner.
// LOCKS       queue_lock_ guards queue_; taken only when there are waiters. It is a leaf.
// ORDERING    unlock() is the last access to the mutex of the one who unlocks, so that the next
//             owner may destroy it.

#include "vole/internal/annotations.h"
#include "vole/internal/mutex_word.h"
#include "vole/internal/park.h"
#include "vole/internal/waiter_list.h"

namespace vole {

namespace internal {

// One goroutine's place in the queue of a mutex, and the history that decides about starvation.
struct mutex_waiter {
  mutex_waiter* next = nullptr;
  mutex_waiter* previous = nullptr;
  bool linked = false;
  bool owns = false;   // handed over: the waiter owns the mutex when it wakes
  time_point since{};  // when it began to wait, for the mutex profile
  park_ticket ticket;

  bool claim() noexcept { return ticket.try_claim(); }
};

}  // namespace internal

namespace sync {

// mutex: the zero value is unlocked. Not recursive; another goroutine than the locker may unlock.
// Blocks:  lock() parks the goroutine; a plain thread sleeps.      Cancels: lock(ctx, mu).
// Safety:  any goroutine or thread.          Cost: uncontended one atomic operation each way, no
// allocation; 24 bytes.
// Source:  Go sync.Mutex: newcomers may overtake the woken (barging) until one has waited for 1 ms;
// from then on the
//          mutex is handed over in order until the queue has caught up. Differs: nothing.
class VOLE_CAPABILITY("mutex") mutex {
 public:
  constexpr mutex() noexcept = default;
  mutex(mutex const&) = delete;
  mutex& operator=(mutex const&) = delete;

  void lock() VOLE_ACQUIRE() {
    if (!take()) [[unlikely]] {
      static_cast<void>(lock_slow({}));
    }
  }

  // try_lock takes the mutex if that needs no waiting.
  [[nodiscard]] bool try_lock() VOLE_TRY_ACQUIRE(true) { return take(); }

  // lock_until is lock under a limit: ready when the mutex is held, else deadline or canceled.
  [[nodiscard]] internal::wake_reason lock_until(internal::park_limit const& limit)
      VOLE_NO_THREAD_SAFETY_ANALYSIS {
    return take() ? internal::wake_reason::ready : lock_slow(limit);
  }

  // Panics: not locked (caller's bug).
  void unlock() VOLE_RELEASE() {
    if (!word_.try_release()) [[unlikely]] {
      unlock_slow();
    }
  }

 private:
  // take takes the mutex if it is free.
  bool take() noexcept {
    std::uint32_t seen = word_.load();
    while ((seen & (internal::mutex_word::locked | internal::mutex_word::starving)) == 0) {
      if (word_.try_take(seen, false)) return true;
    }
    return false;
  }
  bool take_or_spin(std::uint32_t& seen, int& spins_left, bool& awake) noexcept;
  internal::wake_reason lock_slow(internal::park_limit const& limit);
  void unlock_slow();

  internal::mutex_word word_;
  internal::raw_mutex queue_lock_;
  internal::waiter_list<internal::mutex_waiter> queue_ VOLE_GUARDED_BY(queue_lock_);
};

// lock_guard holds a mutex for a scope, and clang's thread-safety analysis understands it.
class VOLE_SCOPED_CAPABILITY [[nodiscard]] lock_guard {
 public:
  explicit lock_guard(mutex& mu) VOLE_ACQUIRE(mu) : mu_(mu) { mu_.lock(); }
  ~lock_guard() VOLE_RELEASE() { mu_.unlock(); }
  lock_guard(lock_guard const&) = delete;
  lock_guard& operator=(lock_guard const&) = delete;

 private:
  mutex& mu_;
};

}  // namespace sync
}  // namespace vole
