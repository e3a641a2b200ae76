// SPDX-License-Identifier: Apache-2.0
#pragma once
// The monitor: one thread without a processor that looks after processors whose goroutine does not
// come back.

#include "vole/internal/annotations.h"

namespace vole::internal {

class scheduler;
struct processor;

class monitor {
 public:
  // start creates the thread. Once, under scheduler::start_mu_.
  static void start() noexcept;

  // wake_if_asleep: a processor leaves the idle list. Cost: one load, and a system call when all
  // was idle for long.
  static void wake_if_asleep() noexcept;

  // request_dump wakes the monitor to print all goroutines and exit with 2. Async-signal-safe.
  static void request_dump() noexcept;

 private:
  static void* main(void* arg) noexcept;
  static void look_at_processors(scheduler& s, bool* candidates) noexcept;
  static void match_spares(scheduler& s, unsigned stuck) noexcept;
  // the caller holds scheduler::mu_
  static bool add_spare(scheduler& s) noexcept VOLE_NO_THREAD_SAFETY_ANALYSIS;
  // the caller holds scheduler::mu_
  static processor* take_idle_spare(scheduler& s) noexcept VOLE_NO_THREAD_SAFETY_ANALYSIS;
};

}  // namespace vole::internal
