// SPDX-License-Identifier: Apache-2.0
// sync::cond. Invariants and locks: vole/sync/cond.h.

#include "vole/sync/cond.h"

namespace vole::sync {

using internal::wake_reason;

struct cond::waiter : internal::mutex_waiter {
  // The list links waiters of this type.
  waiter* next = nullptr;
  waiter* previous = nullptr;
  std::uint64_t number = 0;
};

wake_reason cond::wait_until(internal::park_limit const& limit) VOLE_NO_THREAD_SAFETY_ANALYSIS {
  waiter self;
  {
    internal::raw_lock const lock(queue_lock_);
    self.number = came_++;
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
  waiter* next = nullptr;
  {
    internal::raw_lock const lock(queue_lock_);
    next = queue_.pop_claimed();
  }
  if (next != nullptr) next->ticket.finish();
}

// One at a time: each waiter lies on a page of its own, which is fetched while the one before it is
// made ready. The next is claimed before one is let go: the last to leave may destroy the cond, and
// one that is claimed does not leave.
void cond::broadcast_slow() VOLE_NO_THREAD_SAFETY_ANALYSIS {
  queue_lock_.lock();
  std::uint64_t const end = came_;
  auto const claim_first = [&]() VOLE_NO_THREAD_SAFETY_ANALYSIS -> waiter* {
    while (!queue_.empty() && queue_.front()->number < end) {
      waiter* const w = queue_.pop_front();
      if (w->claim()) return w;
    }
    return nullptr;
  };
  waiter* w = claim_first();
  while (w != nullptr) {
    waiter* const next = claim_first();
    if (next != nullptr) __builtin_prefetch(queue_.front());
    queue_lock_.unlock();
    w->ticket.finish();
    if (next == nullptr) return;
    w = next;
    queue_lock_.lock();
  }
  queue_lock_.unlock();
}

}  // namespace vole::sync
