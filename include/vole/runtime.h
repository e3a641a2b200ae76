// SPDX-License-Identifier: Apache-2.0
#pragma once
// The scheduler as its users see it: yield, limits, counters, the dump. The only process-wide thing
// in vole.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>

#include "vole/internal/clock.h"

namespace vole {
enum class scheduling_class : std::uint8_t;  // see vole/go.h
}

namespace vole::runtime {

// yield lets the other runnable goroutines go first. No effect on a plain thread.
// Source: Go runtime.Gosched.
void yield() noexcept;

// max_procs is how many goroutines run at the same time: VOLE_MAXPROCS, else the processors this
// process may use (affinity and cgroup quota), as found at start; or what set_max_procs set.
int max_procs() noexcept;

// set_max_procs changes it (1 to 1024) and returns what it was; n < 1 changes nothing. More are
// there at once; fewer as soon as those too many park, within a few ms.
// Source: Go runtime.GOMAXPROCS. Differs: the world is not stopped.
int set_max_procs(int n) noexcept;

// set_max_threads bounds the worker threads (VOLE_MAXTHREADS, else 10,000; at most 32,768) and
// returns the bound before. At the bound, which is reported once a minute, goroutines wait until a
// thread is free; those that exist are not ended.
// Source: Go debug.SetMaxThreads. Differs: reaching the bound does not end the process.
unsigned set_max_threads(unsigned n) noexcept;

// set_max_goroutines bounds how many stacks exist; 0: no bound, as at start. At the bound try_go
// returns resource_unavailable_try_again and go panics. Each processor keeps up to 64 free stacks
// that count but serve only its own spawns.
void set_max_goroutines(std::size_t n) noexcept;

// set_dump_signal chooses the real-time signal by which a dump, a stall report or a wall profile
// asks a thread for the stack that it runs on: VOLE_DUMPSIGNAL, else this, else SIGRTMIN+6. One
// that has a handler already is left alone: the next one is taken, and standard error says so.
// Panics: no real-time signal; the runtime has started: call it before run() and the first go().
void set_dump_signal(int signal) noexcept;

// lock_thread wires the calling goroutine to its thread until unlock_thread was called as often: no
// other goroutine runs there. For libraries that keep state per thread. A park then costs two
// switches of threads. Both do nothing on a plain thread.
// Source: Go runtime.LockOSThread. Differs: a goroutine that ends while wired leaves its thread to
// others as it is.
void lock_thread() noexcept;
void unlock_thread() noexcept;

// set_stall_report has a goroutine reported on standard error, with its stack, when it has kept its
// processor for so long without parking; zero, as at start unless VOLE_DEBUG=stall=<ms> says
// otherwise: none is. One report for a stall, and one at a time.
void set_stall_report(std::chrono::nanoseconds after) noexcept;

// goroutines counts those alive, parked ones included.
std::size_t goroutines() noexcept;

// goroutine_id identifies the caller in dumps and profiles; 0 on a plain thread. Never reused.
std::uint64_t goroutine_id() noexcept;

// scheduling is the class of the calling goroutine: foreground or background; foreground on a plain
// thread, and where VOLE_SEED chooses the schedule. For what starts a goroutine later on behalf of
// its caller.
scheduling_class scheduling() noexcept;

// dump_goroutines writes every goroutine with its state, wait reason, age, stack and creator, as
// SIGQUIT does.
std::string dump_goroutines();

struct stats {
  std::size_t goroutines_live;
  std::size_t goroutines_running;
  std::size_t goroutines_parked;
  std::size_t runnable;             // goroutines in all run queues
  std::size_t runnable_global;      // of these, in the global queue
  std::size_t runnable_longest;     // in the longest queue of a processor
  std::size_t runnable_background;  // in the queue of scheduling_class::background
  std::size_t blocking_calls;       // goroutines inside blocking() now
  std::uint64_t goroutines_created_total;

  std::size_t processors;  // max_procs, and one more for each stuck worker
  std::size_t processors_idle;
  std::size_t processors_spare;  // added while a worker is stuck
  std::size_t threads;           // workers that exist
  std::size_t threads_idle;
  std::size_t threads_spinning;  // that look for work
  std::size_t threads_max;       // see set_max_threads
  // That the last look of a CPU profile could give no timer: ulimit -i, or more than 16,384
  // threads. What they use is in no profile.
  std::size_t threads_unprofiled;

  std::uint64_t schedules_total;  // times a goroutine was given a processor
  std::uint64_t parks_total;      // times one waited, by way of what was scheduled since
  std::uint64_t yields_total;
  std::uint64_t background_turns_total;  // times a processor began to run a background goroutine
  std::uint64_t steals_total;
  std::uint64_t
      handoffs_total;          // processors handed over at blocking(), or added for a stuck worker
  std::uint64_t stalls_total;  // processors found stuck: a call that blocks, a loop that computes

  std::size_t timers;  // armed
  std::size_t stacks_in_use;
  std::size_t stacks_pooled;
  std::size_t stacks_max;                // see set_max_goroutines
  std::uint64_t stacks_scavenged_total;  // whose memory was given back
  std::size_t stack_bytes_reserved;      // address space, not memory
  std::size_t stack_bytes_high_water;    // the deepest of those looked at: one in 1,024 that end
  std::size_t stacks_unguarded;  // without a guard page, since the kernel's map limit was reached
};

// read_stats sums the counters; each is exact, all together are not of one instant. Cost: a few us.
stats read_stats() noexcept;

// latency_histogram counts how long goroutines waited for a processor once they were runnable; one
// schedule in 64 is timed. counts[i] are those of at most bound(i), and above bound(i - 1).
struct latency_histogram {
  std::array<std::uint64_t, 22> counts{};
  std::chrono::nanoseconds sum{};

  // 1 us, 2 us, 4 us .. 1.05 s; the last bucket has no bound.
  static constexpr std::chrono::nanoseconds bound(std::size_t i) noexcept {
    return std::chrono::microseconds(std::int64_t{1} << i);
  }
};
latency_histogram scheduling_latency() noexcept;

}  // namespace vole::runtime
