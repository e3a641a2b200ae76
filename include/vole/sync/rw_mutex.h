// SPDX-License-Identifier: Apache-2.0
#pragma once
// sync::rw_mutex: many readers or one writer. A waiting writer keeps new readers out; when it
// leaves, the readers that
// waited meanwhile go first. So neither side starves.
//
// INVARIANTS
//   word_       writing: a writer owns it. pending: departing_ is in use. Never both; changed under
//   queue_lock_, but
//               for the fast paths 0 -> writing -> 0. The rest counts the readers that have called
//               rlock and not
//               runlock: those inside, and while writing or pending is set those that wait or are
//               about to.
//   departing_  while pending: the readers inside, less those that have counted themselves out of
//   it; each reader that
//               leaves under pending does so exactly once. Who brings it to 0 comes to end the
//               pending state. Else 0.
//   early_      how many of those will come for nothing, since readers were let in after departing_
//   had been 0.
//   permits_    readers counted in word_ that have seen a writer who has left since: they go in
//   without waiting.
//   writer_     the writer that waits while pending. Null while pending: it gave up. Then readers
//   are let in at once,
//               each counted in departing_, until the last of them has left.
//   queue_      readers that wait while writing is set, or pending with a writer_.
// LOCKS  writers_ (held by the one writer, waiting or inside) is above queue_lock_, which guards
//        queue_, writer_,
//        permits_, early_ and all slow changes of word_.
// ORDERING  A reader's last access is its subtraction, or for the last one the lock section that
//           ends the pending
//        state; the destructor waits for that section and for a writer that is still in unlock().
// REJECTED  Counting readers by compare-and-swap, which needs no departing_: 35 ns instead of 16
//           for two cores that
//        read. Letting a writer that gave up leave pending behind until all readers are out: new
//        readers would hang.

#include <cstdint>

#include "vole/sync/mutex.h"

namespace vole::sync {

// rw_mutex: the zero value is unlocked. Not recursive: a reader that locks again may wait for a
// writer that waits for it.
// Blocks:  parks the goroutine; a plain thread sleeps.     Cancels: lock(ctx, mu), rlock(ctx, mu).
// Safety:  any goroutine or thread.   Cost: uncontended, one atomic operation each way for a
// reader, two for a writer.
// Source:  Go sync.RWMutex. Differs: waits may be bounded.
class VOLE_CAPABILITY("rw_mutex") rw_mutex {
 public:
  constexpr rw_mutex() noexcept = default;
  rw_mutex(rw_mutex const&) = delete;
  rw_mutex& operator=(rw_mutex const&) = delete;
  ~rw_mutex();

  void rlock() VOLE_ACQUIRE_SHARED() {
    // pairs with rw_mutex.cc:unlock, rw_mutex.cc:lock_until
    if ((word_.fetch_add(one_reader, internal::memory_order_acquire) & writer_bits) != 0)
        [[unlikely]] {
      static_cast<void>(rlock_slow({}));
    }
  }
  // rlock_until is rlock under a limit: ready when it is held, else deadline or canceled.
  [[nodiscard]] internal::wake_reason rlock_until(internal::park_limit const& limit)
      VOLE_NO_THREAD_SAFETY_ANALYSIS {
    // pairs with rw_mutex.cc:unlock, rw_mutex.cc:lock_until
    if ((word_.fetch_add(one_reader, internal::memory_order_acquire) & writer_bits) == 0) {
      return internal::wake_reason::ready;
    }
    return rlock_slow(limit);
  }
  [[nodiscard]] bool try_rlock() VOLE_TRY_ACQUIRE_SHARED(true);

  // Panics: not locked for reading (caller's bug).
  void runlock() VOLE_RELEASE_SHARED() VOLE_NO_THREAD_SAFETY_ANALYSIS { leave(); }

  void lock() VOLE_ACQUIRE() { static_cast<void>(lock_until({})); }
  [[nodiscard]] internal::wake_reason lock_until(internal::park_limit const& limit)
      VOLE_NO_THREAD_SAFETY_ANALYSIS;
  [[nodiscard]] bool try_lock() VOLE_TRY_ACQUIRE(true);
  // Panics: not locked for writing (caller's bug).
  void unlock() VOLE_RELEASE();

  // The names std::shared_lock asks for.
  void lock_shared() VOLE_ACQUIRE_SHARED() { rlock(); }
  [[nodiscard]] bool try_lock_shared() VOLE_TRY_ACQUIRE_SHARED(true) { return try_rlock(); }
  void unlock_shared() VOLE_RELEASE_SHARED() { runlock(); }

 private:
  enum : std::uint32_t { writing = 1, pending = 2, one_reader = 4 };
  static constexpr std::uint32_t writer_bits = writing | pending;

  void leave() VOLE_NO_THREAD_SAFETY_ANALYSIS {
    // pairs with rw_mutex.cc:lock_until
    std::uint32_t const before = word_.fetch_sub(one_reader, internal::memory_order_release);
    if (before < one_reader || (before & writer_bits) != 0) [[unlikely]] {
      runlock_slow(before);
    }
  }
  internal::wake_reason rlock_slow(internal::park_limit const& limit);
  void leave_queue(internal::mutex_waiter& self);
  void runlock_slow(std::uint32_t before);
  void count_entered(std::int32_t n) VOLE_REQUIRES_LOCK(queue_lock_);
  internal::wake_reason wait_for_readers(internal::park_limit const& limit);
  void give_up(internal::mutex_waiter& self);
  void end_pending(internal::waiter_list<internal::mutex_waiter>& admitted)
      VOLE_REQUIRES_LOCK(queue_lock_);
  void admit_queue(internal::waiter_list<internal::mutex_waiter>& admitted)
      VOLE_REQUIRES_LOCK(queue_lock_);
  static std::uint32_t count(std::uint32_t word) { return word / one_reader; }

  mutex writers_;
  internal::atomic<std::uint32_t> word_{0};
  internal::atomic<std::int32_t> departing_{0};
  internal::raw_mutex queue_lock_;
  std::uint32_t permits_ VOLE_GUARDED_BY(queue_lock_) = 0;
  std::uint32_t early_ VOLE_GUARDED_BY(queue_lock_) = 0;
  internal::waiter_list<internal::mutex_waiter> queue_ VOLE_GUARDED_BY(queue_lock_);
  internal::mutex_waiter* writer_ VOLE_GUARDED_BY(queue_lock_) = nullptr;
};

// read_guard holds an rw_mutex for reading for a scope; write_guard for writing.
class VOLE_SCOPED_CAPABILITY [[nodiscard]] read_guard {
 public:
  explicit read_guard(rw_mutex& mu) VOLE_ACQUIRE_SHARED(mu) : mu_(mu) { mu_.rlock(); }
  ~read_guard() VOLE_RELEASE() { mu_.runlock(); }
  read_guard(read_guard const&) = delete;
  read_guard& operator=(read_guard const&) = delete;

 private:
  rw_mutex& mu_;
};

class VOLE_SCOPED_CAPABILITY [[nodiscard]] write_guard {
 public:
  explicit write_guard(rw_mutex& mu) VOLE_ACQUIRE(mu) : mu_(mu) { mu_.lock(); }
  ~write_guard() VOLE_RELEASE() { mu_.unlock(); }
  write_guard(write_guard const&) = delete;
  write_guard& operator=(write_guard const&) = delete;

 private:
  rw_mutex& mu_;
};

}  // namespace vole::sync
