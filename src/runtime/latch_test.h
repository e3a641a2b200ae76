// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the runtime's tests wait with: it lies below chan and sync.

#include "vole/internal/park.h"

#include "base/intrusive_list.h"

namespace vole::internal {

// latch lets the test's plain thread, or a goroutine, wait until others have counted down: one park
// each.
class latch {
 public:
  explicit latch(int n) : left_(n) {}
  void count_down() {
    raw_lock const lock(mu_);
    if (--left_ == 0 && waiter_ != nullptr && waiter_->try_claim()) waiter_->finish();
  }
  void wait() {
    park_ticket ticket;
    {
      raw_lock const lock(mu_);
      if (left_ == 0) return;
      waiter_ = &ticket;
    }
    ticket.park(wait_reason::wait_group_wait);
    raw_lock const lock(mu_);  // until count_down has let go
  }

 private:
  raw_mutex mu_;
  int left_;
  park_ticket* waiter_ = nullptr;
};

// queue of waiting tickets, the smallest wait queue there is.
class gate {
 public:
  wake_reason wait(park_limit const& limit = {}) {
    entry e;
    {
      raw_lock const lock(mu_);
      waiting_.push_back(e);
    }
    wake_reason const reason = e.ticket.park(wait_reason::chan_receive, limit);
    raw_lock const lock(mu_);
    if (e.link.linked()) waiting_.remove(e);
    return reason;
  }
  bool wake_one() {
    raw_lock const lock(mu_);
    while (entry* e = waiting_.pop_front()) {
      if (!e->ticket.try_claim()) continue;
      e->ticket.finish();
      return true;
    }
    return false;
  }

 private:
  struct entry {
    park_ticket ticket;
    list_link link;
  };
  raw_mutex mu_;
  intrusive_list<entry, &entry::link> waiting_;
};

}  // namespace vole::internal
