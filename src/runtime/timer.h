// SPDX-License-Identifier: Apache-2.0
#pragma once
// Timers: a 4-ary heap per processor, each under its own lock.
//
// INVARIANTS  a node is in at most one heap; node.heap_ says which (null: none) and changes only
//             under that heap's lock; from null by one step, for two may arm it at once.
//             An entry's time, which its node knows as key_, is at most its node's: one that is
//             moved to later keeps its place until it comes to the front. The front's is exact.
//             Of those due at one instant a bubble's come in an order that is drawn when they are
//             armed: no test may rest on it.
// LOCKS       timer_heap::mu_ is above chan and poll_handle locks: fire() runs under it, so that
//             timer_delete() returning
//             means fire() is not running. fire() may claim tickets, send on a channel, make
//             goroutines runnable;
//             it must not add or delete timers (it re-arms by its return value) and must not block.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "vole/internal/atomic.h"
#include "vole/internal/clock.h"
#include "vole/internal/raw_mutex.h"

namespace vole::internal {

class timer_heap;

struct timer_node {
  // fire is called once when the time has come; it returns when to fire again, or never.
  time_point (*fire)(timer_node* node, time_point now) = nullptr;
  time_point when = never;  // guarded by the heap's lock while in a heap

  timer_node() = default;
  timer_node(timer_node const&) = delete;
  timer_node& operator=(timer_node const&) = delete;

 private:
  friend class timer_heap;
  friend bool timer_delete(timer_node& node) noexcept;
  friend bool timer_move(timer_node& node, time_point when) noexcept;
  friend void timer_advance(timer_node& node, time_point when) noexcept;

  atomic<timer_heap*> heap_{nullptr};
  std::uint32_t index_ = 0;
  std::uint32_t lot_ = 0;  // drawn in a bubble: the order among equal times
  time_point key_ = never;
};

// timer_add arms a node that is in no heap. Blocks: no. Cost: one lock, O(log n).
void timer_add(timer_node& node, time_point when) noexcept;

// timer_delete disarms; true: it was armed and has not fired. After it returns, fire() is not
// running.
bool timer_delete(timer_node& node) noexcept;

// timer_move gives an armed node another time; false: it is not armed, and stays so.
bool timer_move(timer_node& node, time_point when) noexcept;

// timer_advance arms the node, or moves it earlier; a node armed at or before when stays as it is.
// Several may do so at once.
void timer_advance(timer_node& node, time_point when) noexcept;

class timer_heap {
 public:
  timer_heap() = default;
  timer_heap(timer_heap const&) = delete;
  timer_heap& operator=(timer_heap const&) = delete;

  // next_when is the earliest time in the heap, or never; read without the lock, so it may be
  // stale.
  time_point next_when() const noexcept {
    return time_point(duration(next_when_.load()));  // seq_cst: pairs with timer.cc:publish
  }

  // run fires all that is due. Returns how many fired.
  std::size_t run(time_point now) noexcept;

  // move_to empties this heap into another: its processor goes away.
  void move_to(timer_heap& other) noexcept;

  std::size_t size() noexcept;

  // leave_to_bubble has no poller woken for it: a bubble looks at it by itself. What is due when a
  // goroutine of the bubble arms it fires at once.
  void leave_to_bubble() noexcept { of_bubble_ = true; }

 private:
  friend void timer_add(timer_node& node, time_point when) noexcept;
  friend bool timer_delete(timer_node& node) noexcept;
  friend bool timer_move(timer_node& node, time_point when) noexcept;
  friend void timer_advance(timer_node& node, time_point when) noexcept;

  struct entry {
    time_point when;
    timer_node* node;
  };

  bool push(timer_node& node, time_point when) noexcept
      VOLE_REQUIRES_LOCK(mu_);  // true: new earliest
  void remove(timer_node& node) noexcept VOLE_REQUIRES_LOCK(mu_);
  // As push and remove, for one that publishes later.
  void link(timer_node& node, time_point when) noexcept VOLE_REQUIRES_LOCK(mu_);
  void unlink(timer_node& node) noexcept VOLE_REQUIRES_LOCK(mu_);
  std::size_t run_some(time_point now) noexcept VOLE_REQUIRES_LOCK(mu_);
  void move(timer_node& node, time_point when) noexcept VOLE_REQUIRES_LOCK(mu_);
  void settle_front() noexcept VOLE_REQUIRES_LOCK(mu_);
  bool before(entry const& a, entry const& b) const noexcept;
  void sift_up(std::size_t i) noexcept VOLE_REQUIRES_LOCK(mu_);
  void sift_down(std::size_t i) noexcept VOLE_REQUIRES_LOCK(mu_);
  void place(std::size_t i, entry e) noexcept VOLE_REQUIRES_LOCK(mu_);
  void publish() noexcept VOLE_REQUIRES_LOCK(mu_);

  void changed(time_point earliest) noexcept;

  raw_mutex mu_;
  bool of_bubble_ = false;  // fixed before others know it
  atomic<duration::rep> next_when_{never.time_since_epoch().count()};
  std::vector<entry> entries_ VOLE_GUARDED_BY(mu_);
};

}  // namespace vole::internal
