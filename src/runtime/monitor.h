// SPDX-License-Identifier: Apache-2.0
#pragma once
// The monitor: one thread without a processor that looks after processors whose goroutine does not
// come back.

#include <cstddef>

#include "vole/internal/annotations.h"
#include "vole/internal/clock.h"

namespace vole::internal {

class scheduler;
struct processor;

class monitor {
 public:
  // start does as VOLE_DEBUG says, and creates the thread. Once, under scheduler::start_mu_.
  static void start() noexcept;

  // wake_if_asleep: a processor leaves the idle list. Cost: one load, and a system call when the
  // monitor had nothing to look after.
  static void wake_if_asleep() noexcept;

  // request_dump wakes the monitor to print all goroutines and exit with 2. Async-signal-safe.
  static void request_dump() noexcept;

 private:
  explicit monitor(scheduler& s) noexcept : s_(s) {}
  static void* main(void* arg) noexcept;
  [[noreturn]] void run() noexcept;

  // What one look at all processors finds.
  struct found {
    unsigned stuck = 0;       // processors whose goroutine has not come back
    unsigned fresh = 0;       // of these, since the last look
    bool standing = false;    // some tick stands still and is not stuck yet
    std::size_t waiting = 0;  // goroutines that lie where nobody may come to them
    bool queued = false;      // some lie where only their own processor comes by itself
  };
  found look() noexcept;
  void look_at_ticks(found& f) noexcept;
  template <class Fn>
  void as_external_waker(Fn&& fn) noexcept;
  void run_timers(processor& p) noexcept;
  void judge(found& f) noexcept;
  void judge_turn(processor& p) noexcept;
  bool computes(processor& p, int tid) noexcept;
  void report(processor& p, duration still) noexcept;
  void poll_if_overdue() noexcept;
  void wake_for_overdue_timer() noexcept;
  void match_spares(unsigned wanted) noexcept;
  // the caller holds scheduler::mu_
  bool add_spare() noexcept VOLE_NO_THREAD_SAFETY_ANALYSIS;
  // the caller holds scheduler::mu_
  processor* take_idle_spare() noexcept VOLE_NO_THREAD_SAFETY_ANALYSIS;
  bool at_rest(found const& f) const noexcept;
  // settled: at rest, and nothing is to be tried again.
  bool settled(found const& f) const noexcept;
  duration next_look(found const& f) const noexcept;
  void wait_while_settled(found const& f) noexcept;
  void scavenge() noexcept;
  void trace() noexcept;

  scheduler& s_;
  time_point started_{};
  time_point trace_at_ = never;
  time_point t_{};            // of the current look
  time_point storm_until_{};  // processors get stuck one after the other until then
  unsigned boost_ = 0;        // spares beyond one for each that is stuck; 0 outside a storm
  time_point scavenge_at_{};
  bool scavenging_ = false;  // memory is being given back, a few stacks at each look
};

}  // namespace vole::internal
