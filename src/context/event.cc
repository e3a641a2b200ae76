// SPDX-License-Identifier: Apache-2.0
#include "vole/internal/event.h"

namespace vole::internal {

void event::set() noexcept {
  raw_lock const lock(mu_);
  // pairs with event.h:is_set
  set_.store(true, memory_order_release);
  while (waiter* const woken = waiters_.pop_claimed()) woken->ticket.finish();
}

wake_reason event::wait(wait_reason why, park_limit const& limit) noexcept {
  if (is_set()) return wake_reason::ready;
  waiter self;
  {
    raw_lock const lock(mu_);
    if (is_set()) return wake_reason::ready;
    waiters_.push_back(self);
  }
  wake_reason const reason = self.ticket.park(why, limit);
  if (reason != wake_reason::ready) {
    raw_lock const lock(mu_);
    waiters_.remove(self);
  }
  return reason;
}

}  // namespace vole::internal
