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
//   bias_       not null: readers on a worker count themselves in that worker's own slot instead of
//               in word_, and write nothing that others read. Then biased is set, and neither
//               writing nor pending. How many are inside is always what word_ counts plus what the
//               slots do; each may be negative, since who enters in one way may leave in another.
//               Set when readers of several workers have met for long without a writer. A writer
//               revokes it: it takes the slots' counts into word_, by the step that clears biased.
// LOCKS  writers_ (held by the one writer, waiting or inside) is above queue_lock_, which guards
//        queue_, writer_, permits_, early_, slots_, changes of bias_ and all slow changes of word_.
//        A slot is its worker's while that is busy in it, and the writer's while it revokes.
// ORDERING  A reader's last access is its subtraction, or for the last one the lock section that
//           ends the pending
//        state; the destructor waits for that section and for a writer that is still in unlock().
//        In a slot it is the store that says it is busy no more, for which revoke() waits.
// LAYOUT  bias_ lies a cache line or more before word_, so that asking for it costs readers nothing
//        while they fight for that one.
// REJECTED  Counting readers by compare-and-swap, which needs no departing_: 35 ns instead of 16
//           for two cores that
//        read. Letting a writer that gave up leave pending behind until all readers are out: new
//        readers would hang.

#include <cstdint>

#include "vole/sync/mutex.h"

namespace vole::internal {

// One worker's readers, in less those out.
struct alignas(64) reader_slot {
  atomic<int> busy{0};      // 1: its worker is between two lines of count_in_slot
  std::uint32_t count = 0;  // may wrap: who comes in here may leave elsewhere, the sum is right
};

}  // namespace vole::internal

namespace vole::sync {

// rw_mutex: the zero value is unlocked. Not recursive: a reader that locks again may wait for a
// writer that waits for it.
// Blocks:  parks the goroutine; a plain thread sleeps.     Cancels: lock(ctx, mu), rlock(ctx, mu).
// Safety:  any goroutine or thread; any may unlock.
// Cost:    uncontended, one atomic operation each way for a reader, two for a writer. Read for long
//          by several workers, none for a reader and some us for the next writer.
// Memory:  96 bytes; a cache line per worker more once readers have met.
// Source:  Go sync.RWMutex; the slots after Dice and Kogan, "BRAVO", and Linux' percpu_rwsem.
//          Differs: waits may be bounded.
class VOLE_CAPABILITY("rw_mutex") rw_mutex {
 public:
  constexpr rw_mutex() noexcept = default;
  rw_mutex(rw_mutex const&) = delete;
  rw_mutex& operator=(rw_mutex const&) = delete;
  ~rw_mutex();

  void rlock() VOLE_ACQUIRE_SHARED() {
    if (!enter()) [[unlikely]] {
      static_cast<void>(rlock_slow({}));
    }
  }
  // rlock_until is rlock under a limit: ready when it is held, else deadline or canceled.
  [[nodiscard]] internal::wake_reason rlock_until(internal::park_limit const& limit)
      VOLE_NO_THREAD_SAFETY_ANALYSIS {
    return enter() ? internal::wake_reason::ready : rlock_slow(limit);
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
  friend struct rw_mutex_access;

  enum : std::uint32_t { writing = 1, pending = 2, biased = 4, one_reader = 8 };
  static constexpr std::uint32_t writer_bits = writing | pending;
  static constexpr std::uint32_t sample_every = 64;

  // enter counts a reader; false: there is a writer, see rlock_slow.
  bool enter() VOLE_NO_THREAD_SAFETY_ANALYSIS {
    // relaxed: count_in_slot looks again
    if (bias_.load(internal::memory_order_relaxed) != nullptr && count_in_slot(1)) return true;
    // pairs with rw_mutex.cc:unlock, rw_mutex.cc:lock_until
    if ((word_.fetch_add(one_reader, internal::memory_order_acquire) & writer_bits) != 0) {
      return false;
    }
    // Readers may lose each other's count: it only says when to take a sample.
    std::uint32_t const n = reads_.load(internal::memory_order_relaxed) + 1;
    reads_.store(n, internal::memory_order_relaxed);
    if (n % sample_every == 0) [[unlikely]] {
      sample_reader();
    }
    return true;
  }
  void leave() VOLE_NO_THREAD_SAFETY_ANALYSIS {
    // relaxed: count_in_slot looks again
    if (bias_.load(internal::memory_order_relaxed) != nullptr && count_in_slot(-1)) return;
    // pairs with rw_mutex.cc:lock_until
    std::uint32_t const before = word_.fetch_sub(one_reader, internal::memory_order_release);
    if (before < one_reader || (before & writer_bits) != 0) [[unlikely]] {
      runlock_slow(before);
    }
  }
  bool count_in_slot(std::int32_t n) noexcept;
  void sample_reader() noexcept;
  void bias() noexcept;
  void revoke() VOLE_REQUIRES_LOCK(queue_lock_);
  void forget_samples() noexcept {
    if (mixed_.load(internal::memory_order_relaxed) > 0) {
      mixed_.store(0, internal::memory_order_relaxed);
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

  internal::atomic<internal::reader_slot*> bias_{nullptr};
  mutex writers_;
  internal::waiter_list<internal::mutex_waiter> queue_ VOLE_GUARDED_BY(queue_lock_);
  internal::mutex_waiter* writer_ VOLE_GUARDED_BY(queue_lock_) = nullptr;
  internal::reader_slot* slots_ VOLE_GUARDED_BY(queue_lock_) = nullptr;  // made once
  internal::raw_mutex queue_lock_;
  std::uint32_t permits_ VOLE_GUARDED_BY(queue_lock_) = 0;
  std::uint32_t early_ VOLE_GUARDED_BY(queue_lock_) = 0;
  internal::atomic<std::int32_t> departing_{0};
  internal::atomic<std::uint32_t> word_{0};
  // How often readers came, who the last one sampled was, and how often it was another one since
  // the last writer. Estimates.
  internal::atomic<std::uint32_t> reads_{0};
  internal::atomic<std::uint32_t> last_reader_{0};
  internal::atomic<std::int32_t> mixed_{0};
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
