// SPDX-License-Identifier: Apache-2.0
#pragma once
// Where one waits for one, as the product's primitives do it: what cases of parking are made of.

#include "vole/internal/park.h"
#include "vole/internal/raw_mutex.h"

#include "explorer.h"

namespace vole::model {

// A queue of one place, as every primitive has one: the waiter's ticket and its
// slot, under a lock.
struct place {
  internal::raw_mutex mu;
  internal::park_ticket* ticket = nullptr;
  int* slot = nullptr;
  bool done = false;  // the waker came before the waiter

  // wake ends the wait, or says that none is needed.
  bool wake(int value) {
    internal::raw_lock const lock(mu);
    if (ticket == nullptr) {
      done = true;
      return false;
    }
    if (!ticket->try_claim()) return false;
    internal::park_ticket* const claimed = ticket;
    ticket = nullptr;
    *slot = value;
    claimed->finish();
    return true;
  }
  struct ended {
    internal::wake_reason reason = internal::wake_reason::none;  // none: there was no need to park
    int value = 0;
  };
  // wait_until is what a receive under a limit does; the value is 0 when none came.
  ended wait_until(internal::park_limit const& limit) {
    int slot_here = 0;
    internal::park_ticket t;
    name(t, "ticket");
    {
      internal::raw_lock const lock(mu);
      if (done) return {};
      slot = &slot_here;
      ticket = &t;
    }
    internal::wake_reason const reason = t.park(internal::wait_reason::chan_receive, limit);
    MODEL_CHECK(reason != internal::wake_reason::none);
    if (reason != internal::wake_reason::ready) {
      internal::raw_lock const lock(mu);
      ticket = nullptr;  // as a waiter that ends by itself must
    }
    return {reason, slot_here};
  }
  int wait() {
    ended const e = wait_until({});
    MODEL_CHECK(e.reason == internal::wake_reason::none ||
                e.reason == internal::wake_reason::ready);
    return e.value;
  }
};

}  // namespace vole::model
