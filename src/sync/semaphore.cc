// SPDX-License-Identifier: Apache-2.0
// The slow paths of sync::semaphore. Invariants: vole/sync/semaphore.h.

#include "vole/sync/semaphore.h"

#include "vole/assert.h"
#include "vole/internal/unlock_sample.h"

namespace vole::sync {

using internal::wake_reason;

struct semaphore::waiter : internal::mutex_waiter {
  // The list links waiters of this type.
  waiter* next = nullptr;
  waiter* previous = nullptr;
  std::int64_t units = 0;
};

semaphore::semaphore(std::int64_t size) : size_(size), word_(size * one) {
  VOLE_REQUIRE(size >= 0 && size <= INT64_MAX / one, "a semaphore of {} units", size);
}

void semaphore::require_units(std::int64_t n) {
  VOLE_REQUIRE(n >= 0, "{} units of a semaphore", n);
}

void semaphore::acquire(std::int64_t n) {
  if (try_acquire(n)) return;
  VOLE_REQUIRE(n <= size_, "{} units of a semaphore that has {}", n, size_);
  static_cast<void>(acquire_slow(n, {}));
}

wake_reason semaphore::acquire_until(std::int64_t n, internal::park_limit const& limit) {
  require_units(n);
  if (limit.cancel != nullptr && limit.cancel->canceled()) return wake_reason::canceled;
  if (limit.deadline != never && limit.deadline <= internal::now()) return wake_reason::deadline;
  return try_acquire(n) ? wake_reason::ready : acquire_slow(n, limit);
}

wake_reason semaphore::acquire_slow(std::int64_t n, internal::park_limit const& limit) {
  waiter self;
  self.units = n;
  if (n > size_) return self.ticket.park(internal::wait_reason::semaphore_acquire, limit);
  {
    internal::raw_lock const lock(queue_lock_);
    std::int64_t seen = word_.load(internal::memory_order_relaxed);
    for (;;) {
      bool const take = (seen & has_waiters) == 0 && seen / one >= n;
      std::int64_t const want = take ? seen - n * one : seen | has_waiters;
      // pairs with semaphore.h:release
      if (word_.compare_exchange_weak(seen, want, internal::memory_order_acquire,
                                      internal::memory_order_relaxed)) {
        if (take) return wake_reason::ready;
        break;
      }
    }
    self.since = internal::monotonic_now();
    queue_.push_back(self);
  }
  wake_reason const reason = self.ticket.park(internal::wait_reason::semaphore_acquire, limit);
  if (reason == wake_reason::ready) return reason;
  internal::waiter_list<waiter> granted;
  {
    internal::raw_lock const lock(queue_lock_);
    queue_.remove(self);
    grant(granted);  // it may have stood before others whose wishes can be met
  }
  while (waiter* const w = granted.pop_front()) w->ticket.finish();
  return reason;
}

// Somebody waits, or the caller gives back what it has not taken.
void semaphore::release_slow(std::int64_t n) {
  VOLE_REQUIRE(n >= 0, "{} units given back to a semaphore", n);
  internal::waiter_list<waiter> granted;
  {
    internal::raw_lock const lock(queue_lock_);
    std::int64_t seen = word_.load(internal::memory_order_relaxed);
    do {
      VOLE_REQUIRE(n <= size_ - seen / one, "{} units given back to a semaphore of {} with {} free",
                   n, size_, seen / one);
      // pairs with semaphore.h:try_acquire
    } while (!word_.compare_exchange_weak(seen, seen + n * one, internal::memory_order_acq_rel,
                                          internal::memory_order_relaxed));
    grant(granted);
  }
  internal::unlock_sample ended;
  while (waiter* const w = granted.pop_front()) {
    ended.add(w->since);
    w->ticket.finish();
  }
  ended.charge();
}

// Serves the queue in order while the units last. Nobody else takes units while has_waiters is set.
void semaphore::grant(internal::waiter_list<waiter>& granted) {
  for (;;) {
    waiter* const w = queue_.front();
    if (w == nullptr) {
      word_.fetch_and(~std::int64_t{has_waiters}, internal::memory_order_relaxed);
      return;
    }
    if (word_.load(internal::memory_order_relaxed) / one < w->units) return;
    queue_.pop_front();
    if (!w->claim()) continue;
    // pairs with semaphore: the releases that add units to word_
    word_.fetch_sub(w->units * one, internal::memory_order_acq_rel);
    granted.push_back(*w);
  }
}

}  // namespace vole::sync
