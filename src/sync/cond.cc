// SPDX-License-Identifier: Apache-2.0
// sync::cond. Invariants and locks: vole/sync/cond.h.

#include "vole/sync/cond.h"

namespace vole::sync {

using internal::mutex_waiter;
using internal::wake_reason;

wake_reason cond::wait_until(internal::park_limit const& limit) VOLE_NO_THREAD_SAFETY_ANALYSIS {
  mutex_waiter self;
  {
    internal::raw_lock const lock(queue_lock_);
    queue_.push_back(self);
  }
  mu_.unlock();
  wake_reason const reason = self.ticket.park(internal::wait_reason::cond_wait, limit);
  if (reason != wake_reason::ready) {
    internal::raw_lock const lock(queue_lock_);
    queue_.remove(self);
  }
  mu_.lock();
  return reason;
}

void cond::signal_slow() {
  mutex_waiter* next = nullptr;
  {
    internal::raw_lock const lock(queue_lock_);
    next = queue_.pop_claimed();
  }
  if (next != nullptr) next->ticket.finish();
}

void cond::broadcast_slow() {
  internal::waiter_list<mutex_waiter> woken;
  {
    internal::raw_lock const lock(queue_lock_);
    while (mutex_waiter* const w = queue_.pop_claimed()) woken.push_back(*w);
  }
  while (mutex_waiter* const w = woken.pop_front()) w->ticket.finish();
}

}  // namespace vole::sync
