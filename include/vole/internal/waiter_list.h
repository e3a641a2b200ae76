// SPDX-License-Identifier: Apache-2.0
#pragma once
// A doubly linked queue of waiters that live on their owners' stacks. W has `W* next`, `W*
// previous`, `bool linked`.
//
// INVARIANTS  w.linked says whether w is in the list; a list never owns what it links.
// LOCKS       the lock of the primitive that holds the list guards it all; only empty() may be
//             asked without it,
//             and then its answer may be stale both ways.

#include "vole/internal/atomic.h"

namespace vole::internal {

template <class W>
class waiter_list {
 public:
  constexpr waiter_list() noexcept = default;
  waiter_list(waiter_list const&) = delete;
  waiter_list& operator=(waiter_list const&) = delete;

  // relaxed, no partner: the lock orders the list; without the lock this is a hint
  bool empty() const noexcept { return first_.load(memory_order_relaxed) == nullptr; }
  W* front() const noexcept { return first_.load(memory_order_relaxed); }

  void push_back(W& w) noexcept {
    w.linked = true;
    w.next = nullptr;
    w.previous = last_;
    if (last_ == nullptr) {
      first_.store(&w, memory_order_relaxed);
    } else {
      last_->next = &w;
    }
    last_ = &w;
  }

  void push_front(W& w) noexcept {
    W* const first = front();
    w.linked = true;
    w.previous = nullptr;
    w.next = first;
    if (first == nullptr) {
      last_ = &w;
    } else {
      first->previous = &w;
    }
    first_.store(&w, memory_order_relaxed);
  }

  W* pop_front() noexcept {
    W* const w = front();
    if (w == nullptr) return nullptr;
    first_.store(w->next, memory_order_relaxed);
    if (w->next == nullptr) {
      last_ = nullptr;
    } else {
      w->next->previous = nullptr;
    }
    w->linked = false;
    return w;
  }

  // remove unlinks w if it is linked; true: it was.
  bool remove(W& w) noexcept {
    if (!w.linked) return false;
    if (w.previous == nullptr) {
      first_.store(w.next, memory_order_relaxed);
    } else {
      w.previous->next = w.next;
    }
    if (w.next == nullptr) {
      last_ = w.previous;
    } else {
      w.next->previous = w.previous;
    }
    w.linked = false;
    return true;
  }

  // pop_claimed takes the first waiter whose ticket this caller wins; those that have ended
  // otherwise are dropped.
  // Null: nobody is left. The caller must call ticket().finish() on the one returned.
  W* pop_claimed() noexcept {
    for (;;) {
      W* const w = pop_front();
      if (w == nullptr || w->claim()) return w;
    }
  }

 private:
  atomic<W*> first_{nullptr};
  W* last_ = nullptr;
};

}  // namespace vole::internal
