// SPDX-License-Identifier: Apache-2.0
#pragma once
// The scheduler's side of the netpoller: one epoll set, one eventfd to interrupt a sleeping poller.

#include "runtime/netpoller.h"
#include "runtime/run_queue.h"

namespace vole::internal {

class netpoller {
 public:
  void open() noexcept;

  // poll collects the goroutines whose descriptors are ready. deadline null: without waiting; else
  // until it passes
  // or interrupt() is called. Returns the time after the poll.
  time_point poll(goroutine_chain& ready, time_point const* deadline) noexcept;

  // interrupt ends a poll() that waits, now or next. Safety: any thread, any lock held.
  void interrupt() noexcept;
  // leave_to_parent closes the descriptors of a forked child: what it registers or takes out would
  // change what its parent is told.
  void leave_to_parent() noexcept;
  bool interrupt_pending() const noexcept { return interrupted_.load(memory_order_relaxed); }

  std::size_t handles() const noexcept { return handles_.load(); }

 private:
  friend class poll_handle;

  int epoll_fd_ = -1;
  int event_fd_ = -1;
  atomic<bool> interrupted_{false};
  atomic<std::size_t> handles_{0};
  atomic<unsigned> polls_under_way_{0};  // from the system call until its edges are posted
  raw_mutex mu_;                         // guards the free list; leaf
  poll_handle* free_ VOLE_GUARDED_BY(mu_) = nullptr;
};

netpoller& the_netpoller() noexcept;

}  // namespace vole::internal
