// SPDX-License-Identifier: Apache-2.0
#pragma once
// sync::cond: wait until something that a mutex guards has changed.
//
// INVARIANTS  a waiter is in queue_ before it gives the mutex up, so no signal that follows a
//             change made under the mutex is lost. Waiters are numbered in the order they come, so
//             that a broadcast can tell those that came after it.
// LOCKS       mu_ (the user's) is above queue_lock_, which guards queue_.

#include <concepts>
#include <cstdint>
#include <utility>

#include "vole/sync/mutex.h"

namespace vole::sync {

// Blocks:  wait() parks the goroutine; a plain thread sleeps.      Cancels: wait_until.
// Safety:  any goroutine or thread; destroy it when nobody waits. Order: first come, first woken.
// Source:  Go sync.Cond. Differs: wait(pred); a wait may be bounded. A channel is often the better
// tool.
class cond {
 public:
  explicit constexpr cond(mutex& mu) noexcept : mu_(mu) {}
  cond(cond const&) = delete;
  cond& operator=(cond const&) = delete;

  // wait, with the mutex held, gives it up, waits for signal or broadcast, and takes it again. Call
  // it in a loop, or with a predicate.
  void wait() { static_cast<void>(wait_until({})); }
  template <std::predicate Pred>
  void wait(Pred&& pred) {
    while (!pred()) wait();
  }

  // wait_until is wait under a limit; the mutex is held again whatever ended it.
  internal::wake_reason wait_until(internal::park_limit const& limit);

  // signal wakes one waiter, broadcast all. The caller may hold the mutex, and need not.
  void signal() {
    if (!queue_.empty()) signal_slow();
  }
  void broadcast() {
    if (!queue_.empty()) broadcast_slow();
  }

 private:
  struct waiter;

  void signal_slow();
  void broadcast_slow();

  mutex& mu_;
  internal::raw_mutex queue_lock_;
  // guarded by queue_lock_, but for the hint empty()
  internal::waiter_list<waiter> queue_;
  std::uint64_t came_ VOLE_GUARDED_BY(queue_lock_) = 0;
};

}  // namespace vole::sync
