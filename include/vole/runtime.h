// SPDX-License-Identifier: Apache-2.0
#pragma once
// The scheduler as its users see it: yield, limits, counters, the dump. The only process-wide thing
// in vole.

#include <cstddef>
#include <cstdint>
#include <string>

#include "vole/internal/clock.h"

namespace vole::runtime {

// yield lets the other runnable goroutines go first. No effect on a plain thread.
// Source: Go runtime.Gosched.
void yield() noexcept;

// max_procs is how many goroutines run at the same time: VOLE_MAXPROCS, else the processors this
// process may use
// (affinity and cgroup quota), as found at start.
int max_procs() noexcept;

// goroutines counts those alive, parked ones included.
std::size_t goroutines() noexcept;

// goroutine_id identifies the caller in dumps and profiles; 0 on a plain thread. Never reused.
std::uint64_t goroutine_id() noexcept;

// dump_goroutines writes every goroutine with its state, wait reason, age, stack and creator, as
// SIGQUIT does.
std::string dump_goroutines();

struct stats {
  std::size_t goroutines_live;
  std::uint64_t goroutines_created_total;
  std::size_t runnable;  // in all run queues
  std::size_t threads;   // workers that exist
  std::size_t threads_idle;
  std::size_t processors_spare;   // added while a worker is stuck
  std::size_t blocking_calls;     // goroutines inside blocking() now
  std::uint64_t schedules_total;  // times a goroutine was given a processor
  std::uint64_t steals_total;
  std::uint64_t
      handoffs_total;  // processors handed over at blocking() or taken over for a stuck worker
  std::size_t timers;  // armed
  std::size_t stacks_pooled;
  std::size_t stack_bytes_reserved;  // address space, not memory
  std::size_t
      stacks_unguarded;  // made without a guard page because the kernel's map limit was reached
};

// read_stats sums the counters; each is exact, all together are not of one instant. Cost: a few us.
stats read_stats() noexcept;

}  // namespace vole::runtime
