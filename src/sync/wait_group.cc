// SPDX-License-Identifier: Apache-2.0
// The slow paths of sync::wait_group. Invariants: vole/sync/wait_group.h.

#include "vole/sync/wait_group.h"

#include "vole/assert.h"

namespace vole::sync {

using internal::mutex_waiter;
using internal::wake_reason;

namespace {

constexpr std::int64_t counter_of(std::uint64_t word) {
  return static_cast<std::int64_t>(word) >> 32;
}

}  // namespace

// The caller's add has brought the counter to zero, or below.
void wait_group::release(std::uint64_t after) {
  if (counter_of(after) < 0) panic("negative sync::wait_group counter");
  if ((after & releasing) != 0) return;  // whoever releases already will see that it is zero again
  internal::waiter_list<mutex_waiter> released;
  bool mine = false;  // this goroutine has set releasing
  std::uint64_t seen = after;
  for (;;) {
    if (counter_of(seen) == 0 && (seen & waiters) != 0) {
      collect(released);
      mine = true;
      seen = word_.load(internal::memory_order_relaxed);
      continue;
    }
    // The last access to the wait_group: a waiter that returns may destroy it.
    // pairs with wait_group.h:wait_until
    if (!mine ||
        word_.compare_exchange_weak(seen, seen & ~releasing, internal::memory_order_acq_rel,
                                    internal::memory_order_relaxed)) {
      break;
    }
  }
  while (mutex_waiter* const w = released.pop_front()) w->ticket.finish();
}

// Claims all who wait and takes over the duty to clear the flags.
void wait_group::collect(internal::waiter_list<mutex_waiter>& released) {
  internal::raw_lock const lock(queue_lock_);
  while (mutex_waiter* const w = queue_.pop_claimed()) released.push_back(*w);
  std::uint64_t seen = word_.load(internal::memory_order_relaxed);
  while (!word_.compare_exchange_weak(seen, (seen | releasing) & ~waiters,
                                      internal::memory_order_relaxed)) {
  }
}

wake_reason wait_group::wait_slow(internal::park_limit const& limit) {
  mutex_waiter self;
  {
    internal::raw_lock const lock(queue_lock_);
    std::uint64_t seen = word_.load(internal::memory_order_acquire);  // pairs with wait_group.h:add
    for (;;) {
      if (seen == 0) return wake_reason::ready;
      // pairs with wait_group.h:add, for the case that it is zero now
      if (word_.compare_exchange_weak(seen, seen | waiters, internal::memory_order_acquire)) break;
    }
    queue_.push_back(self);
  }
  wake_reason const reason = self.ticket.park(internal::wait_reason::wait_group_wait, limit);
  if (reason == wake_reason::ready || leave_queue(self)) return reason;
  return self.ticket.park(internal::wait_reason::wait_group_wait, {});
}

// The caller has waited as long as it may. False: it stays in the queue, for there is a done() on
// its way to those who wait, and nobody else to keep the wait_group alive for it.
bool wait_group::leave_queue(mutex_waiter& self) {
  internal::raw_lock const lock(queue_lock_);
  queue_.remove(self);
  if (!queue_.empty()) return true;
  std::uint64_t seen = word_.load(internal::memory_order_relaxed);
  while (counter_of(seen) != 0) {
    // relaxed, no partner: the word says no more than before
    if (word_.compare_exchange_weak(seen, seen & ~std::uint64_t{waiters},
                                    internal::memory_order_relaxed)) {
      return true;
    }
  }
  if ((seen & flags) != waiters) return true;
  self.ticket.reset();
  queue_.push_back(self);
  return false;
}

}  // namespace vole::sync
