// SPDX-License-Identifier: Apache-2.0
// hangup_cell: the word of a connection that remembers that the other end is gone and tells one
// hook.
//
// INVARIANTS
//  - The flag only rises; reset is for a cell that nobody else knows yet.
//  - A hook stands in at most one cell. Whoever takes it out by exchange owns it, and fires it once
//    or, in disarm, gives it back unfired. Whoever fires it touches it no more.
//  - fire is called from any thread, under no lock, and must not wait.
// LOCKS  none. arm and raise each write one word, then read the other's: one of them sees both.
#pragma once

#include "vole/internal/atomic.h"

namespace vole::internal {

struct hangup_hook {
  void (*fire)(hangup_hook* self);
};

class hangup_cell {
 public:
  // raise sets the flag and returns the hook to be fired, or null.
  [[nodiscard]] hangup_hook* raise() noexcept {
    gone_.store(true, memory_order_seq_cst);  // pairs with hangup_hook.h:arm
    if (hook_.load(memory_order_seq_cst) == nullptr)
      return nullptr;                                      // pairs with hangup_hook.h:arm
    return hook_.exchange(nullptr, memory_order_acq_rel);  // pairs with hangup_hook.h:arm, disarm
  }

  // raised may be stale-clear; the edge that follows the raise is a reason to look again.
  bool raised() const noexcept {
    return gone_.load(memory_order_acquire);  // pairs with hangup_hook.h:raise
  }

  // arm puts the hook into the empty cell, and fires it at once when the flag is up.
  void arm(hangup_hook* hook) noexcept {
    hook_.store(hook, memory_order_seq_cst);        // pairs with hangup_hook.h:raise
    if (!gone_.load(memory_order_seq_cst)) return;  // pairs with hangup_hook.h:raise
    // pairs with hangup_hook.h:raise
    if (hangup_hook* const mine = hook_.exchange(nullptr, memory_order_acq_rel)) mine->fire(mine);
  }

  // disarm takes the hook out; false: it was taken to be fired.
  [[nodiscard]] bool disarm(hangup_hook* hook) noexcept {
    // pairs with hangup_hook.h:raise
    return hook_.compare_exchange_strong(hook, nullptr, memory_order_acq_rel);
  }

  void reset() noexcept {
    gone_.store(false, memory_order_relaxed);
    hook_.store(nullptr, memory_order_relaxed);
  }

 private:
  atomic<bool> gone_{false};
  atomic<hangup_hook*> hook_{nullptr};
};

}  // namespace vole::internal
