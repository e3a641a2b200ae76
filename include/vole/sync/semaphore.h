// SPDX-License-Identifier: Apache-2.0
#pragma once
// sync::semaphore: a number of units that goroutines take and give back, several at a time.
//
// INVARIANTS (word_)
//   has_waiters  queue_ is not empty: whoever comes must queue. Set and cleared under queue_lock_.
//   Never stale.
//   one * n      the units free.
// LOCKS     queue_lock_ guards queue_; a leaf.
// ORDERING  what was done before release() is seen after the acquire() that took those units.

#include <cstdint>

#include "vole/sync/mutex.h"

namespace vole::sync {

// semaphore has `size` units. Who wants many is not overtaken by those who want few: first come,
// first served.
// Blocks:  parks the goroutine; a plain thread sleeps.     Cancels: acquire(ctx, sem, n).
// Safety:  any goroutine or thread.                       Cost: uncontended, one atomic operation
// each way.
// Source:  Go golang.org/x/sync/semaphore. Differs: without a limit, to ask for more than size is a
// panic.
class semaphore {
 public:
  explicit semaphore(std::int64_t size);
  semaphore(semaphore const&) = delete;
  semaphore& operator=(semaphore const&) = delete;

  // acquire takes n units, waiting for them. Panics: n < 0 or n > size (caller's bug).
  void acquire(std::int64_t n = 1);
  // acquire_until is acquire under a limit. One that has come already gives nothing, even if the
  // units are free. More than size units never come: it waits for the limit. Panics: n < 0.
  [[nodiscard]] internal::wake_reason acquire_until(std::int64_t n,
                                                    internal::park_limit const& limit);
  // try_acquire takes n units if they are free now and nobody waits. Panics: n < 0.
  [[nodiscard]] bool try_acquire(std::int64_t n = 1) {
    std::int64_t seen = word_.load(internal::memory_order_relaxed);
    while ((seen & has_waiters) == 0 && seen / one >= n && n >= 0) {
      // pairs with semaphore.h:release, semaphore.cc:release_slow
      if (word_.compare_exchange_weak(seen, seen - n * one, internal::memory_order_acquire,
                                      internal::memory_order_relaxed)) {
        return true;
      }
    }
    if (n < 0) [[unlikely]]
      require_units(n);
    return false;
  }

  // release gives n units back. Panics: n < 0, or more than were taken (caller's bug).
  void release(std::int64_t n = 1) {
    std::int64_t seen = word_.load(internal::memory_order_relaxed);
    while ((seen & has_waiters) == 0 && n >= 0 && n <= size_ - seen / one) {
      // pairs with semaphore.h:try_acquire
      if (word_.compare_exchange_weak(seen, seen + n * one, internal::memory_order_release,
                                      internal::memory_order_relaxed)) {
        return;
      }
    }
    release_slow(n);
  }

 private:
  enum : std::int64_t { has_waiters = 1, one = 2 };
  struct waiter;

  static void require_units(std::int64_t n);  // panics when n < 0
  internal::wake_reason acquire_slow(std::int64_t n, internal::park_limit const& limit);
  void release_slow(std::int64_t n);
  void grant(internal::waiter_list<waiter>& granted) VOLE_REQUIRES_LOCK(queue_lock_);

  std::int64_t const size_;
  internal::atomic<std::int64_t> word_;
  internal::raw_mutex queue_lock_;
  internal::waiter_list<waiter> queue_ VOLE_GUARDED_BY(queue_lock_);
};

}  // namespace vole::sync
