// SPDX-License-Identifier: Apache-2.0
#pragma once
// A bubble: goroutines with a clock of their own, which moves when they all wait for one another.
//
// INVARIANTS
//   running_ counts its goroutines that are not in a durable wait: one that only a goroutine or a
//   timer of the bubble ends. It may be one too many for a moment (a goroutine that is woken while
//   it parks), never too few: whoever wakes one counts before it may itself wait.
//   The clock moves only in the driver: the goroutine that made the bubble and is not in it, and
//   only while running_ is 0. Timers fire there, or in the goroutine of the bubble that arms one
//   which is due already (timer.cc:changed).
//   refs_ counts the driver, the goroutines, and each worker that has yet to say blocked(): the
//   last one leaves it to be used again. No bubble is freed: timers may be stopped from outside.
// LOCKS  mu_ guards the counts and the two tickets; a leaf but for the scheduler's locks.
// Source: Go testing/synctest, runtime/synctest.go.

#include "vole/internal/park.h"

#include "runtime/timer.h"

namespace vole::internal {

struct goroutine;

class bubble {
 public:
  // run calls invoke(arg) in a goroutine of a new bubble and returns when all its goroutines ended.
  static void run(void (*invoke)(void*), void* arg);
  // wait returns when all others of the caller's bubble are in durable waits.
  static void wait();

  bubble(bubble const&) = delete;
  bubble& operator=(bubble const&) = delete;

  static bool durable(wait_reason why) noexcept;

  time_point now() const noexcept {
    return time_point(duration(clock_.load(memory_order_relaxed)));  // no partner: see INVARIANTS
  }
  timer_heap& timers() noexcept { return timers_; }

  void started() noexcept;  // one more goroutine
  void ended() noexcept;

  // Of a goroutine that parks: blocking() before it can be woken, then blocked() when it is parked
  // or not_blocked() when somebody was faster. readied() by who wakes it.
  void blocking() noexcept;
  void blocked() noexcept;
  void not_blocked() noexcept { release(); }
  void readied() noexcept;

 private:
  bubble();
  static bubble* begin();

  void drive(goroutine& self);
  bool wait_until_idle();
  void stopped_running() noexcept VOLE_REQUIRES_LOCK(mu_);
  [[noreturn]] void panic_deadlock();
  void release() noexcept;

  raw_mutex mu_;
  int running_ VOLE_GUARDED_BY(mu_) = 0;
  int alive_ VOLE_GUARDED_BY(mu_) = 0;
  bool main_ended_ VOLE_GUARDED_BY(mu_) = false;
  park_ticket* driver_ VOLE_GUARDED_BY(mu_) = nullptr;
  park_ticket* waiter_ VOLE_GUARDED_BY(mu_) = nullptr;
  atomic<int> refs_{1};
  atomic<duration::rep> clock_{0};
  timer_heap timers_;
  bubble* next_spare_ = nullptr;  // bubbles that have ended; under a lock of their own

  static bubble* spare_;
};

}  // namespace vole::internal
