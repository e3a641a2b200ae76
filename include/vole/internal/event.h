// SPDX-License-Identifier: Apache-2.0
// event: something that happens once, and whose waiters may give up.
//
// INVARIANTS
//   - set_ turns true once; the list is empty from then on.
//   - A waiter in the list has not returned from wait(): it unlinks itself under mu_, or is taken
//   out by set().
// LOCKS  mu_ guards the list and is a leaf but for the scheduler's locks in finish().
// ORDERING  set_ is stored with release; who loads true with acquire sees what was written before
// set().
#pragma once

#include "vole/internal/park.h"
#include "vole/internal/raw_mutex.h"
#include "vole/internal/waiter_list.h"

namespace vole::internal {

class event {
 public:
  event() noexcept = default;
  event(event const&) = delete;
  event& operator=(event const&) = delete;

  // pairs with event.cc:set
  bool is_set() const noexcept { return set_.load(memory_order_acquire); }

  // set lets all who wait, now and later, go on. Idempotent. It may still touch the event when
  // is_set() is true already: whoever waits does not own the event's memory unless something else
  // counts its users.
  void set() noexcept;

  wake_reason wait(wait_reason why, park_limit const& limit) noexcept;

 private:
  struct waiter {
    waiter* next = nullptr;
    waiter* previous = nullptr;
    bool linked = false;
    park_ticket ticket;

    bool claim() noexcept { return ticket.try_claim(); }
  };

  atomic<bool> set_{false};
  raw_mutex mu_;
  waiter_list<waiter> waiters_ VOLE_GUARDED_BY(mu_);
};

}  // namespace vole::internal
