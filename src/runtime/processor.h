// SPDX-License-Identifier: Apache-2.0
#pragma once
// Processor: the right to run goroutines. Worker: a thread that runs them while it holds a
// processor.

#include <cstdint>
#include <pthread.h>

#include "base/futex.h"
#include "base/intrusive_list.h"
#include "runtime/goroutine.h"
#include "runtime/run_queue.h"
#include "runtime/timer.h"

namespace vole::internal {

struct worker;
namespace wall {
struct mail;
}

// processor_state says who may touch the owner-only parts of a processor.
enum class processor_state : std::uint8_t {
  free,     // in scheduler::free_: no work, no timers; not counted
  idle,     // in scheduler::idle_: its ring is empty; its timers may be run by anyone
  running,  // held by exactly one worker
};

// background_turn says whether a background goroutine runs on a processor, see background.cc.
enum class background_turn : std::uint8_t {
  none,
  counted,  // one of those that all processors but one may be in
  excused,  // its thread sleeps in the kernel
};

// Upper bounds of the buckets of scheduling latency: 1 us, 2 us, 4 us .. 1 s, and the rest.
inline constexpr std::size_t latency_buckets = 22;

struct alignas(64) processor {
  std::uint32_t index = 0;
  atomic<bool> spare{false};  // one too many unless a worker is stuck; written under mu_
  processor* next = nullptr;  // in the list that state names; guarded by scheduler::mu_
  atomic<processor_state> state{processor_state::free};
  atomic<worker*> holder{nullptr};  // a hint for the monitor

  run_queue queue;
  timer_heap timers;

  // Owner only.
  std::uint32_t next_streak = 0;       // how often next_ was preferred to the ring in a row
  time_point streak_began{};           // when the ring was served last; by the coarse clock
  time_point slice_mark{};             // when the current group of 16 schedules began
  goroutine* cached_stacks = nullptr;  // dead control blocks of the default class
  std::uint32_t cached_count = 0;
  std::uint64_t id_next = 0;  // goroutine ids set aside for this processor
  std::uint64_t id_end = 0;
  time_point background_due{};     // when the background goes first here, see background.h
  time_point turn_began{};         // while in a background turn, as the next
  bool slices_were_short = false;  // before it

  // Owner writes, anyone reads.
  atomic<std::uint64_t> tick{
      0};  // schedules; a tick that stands still is a goroutine that does not park
  atomic<std::uint64_t> steals{0};
  atomic<std::uint64_t> created{0};
  atomic<std::uint64_t> ended{0};
  atomic<std::uint64_t> yields{0};
  atomic<std::uint64_t> latency[latency_buckets] = {};
  atomic<std::uint64_t> latency_ns_total{0};

  // Goroutines here park soon, so what they make ready can wait for that. A hint.
  atomic<bool> slices_short{true};

  // Owner begins and ends a turn, the monitor excuses it.
  atomic<background_turn> turn{background_turn::none};

  // Monitor writes.
  atomic<bool> stuck{false};  // its goroutine has not parked for long; its next_ may be stolen
  std::uint64_t seen_tick = 0;
  worker* hog = nullptr;  // the holder, whose thread was given long slices
  time_point seen_at{};
  time_point standing_at{};         // the first look that saw it stand still; zero: it does not
  duration standing_computed{};     // what its thread had computed by then
  std::uint64_t reported_tick = 0;  // the stall that was reported last
};

// mark_stuck: what its goroutine makes ready or arms from now on is for others to come to.
inline void mark_stuck(processor& p) noexcept {
  p.stuck.store(true, memory_order_relaxed);
  p.slices_short.store(false, memory_order_relaxed);
}

// take_local takes what runs next on a processor: what was made ready last, which inherits the time
// slice. After 64 of these in a row, or 10 ms, the ring comes first, so that a pair that wakes each
// other does not keep the others from running. The time is the monitor's coarse clock: some ms late
// while goroutines run. Owner only.
inline goroutine* take_local(processor& p, time_point coarse_now) noexcept {
  constexpr std::uint32_t next_streak_max = 64;
  constexpr duration slice_max = std::chrono::milliseconds(10);
  if (p.next_streak < next_streak_max && coarse_now - p.streak_began < slice_max) {
    if (goroutine* const g = p.queue.take_next()) {
      ++p.next_streak;
      return g;
    }
  }
  p.next_streak = 0;
  p.streak_began = coarse_now;
  goroutine* const g = p.queue.take();
  return g != nullptr ? g : p.queue.take_next();
}

struct alignas(64) worker {
  fiber loop;                               // the thread's own stack, where work is looked for
  processor* held = nullptr;                // null inside blocking() and while stopped
  goroutine* current = nullptr;             // whose stack this thread runs on; null in the loop
  void (*after)(worker&, void*) = nullptr;  // to do once the last switch has left its stack
  void* after_arg = nullptr;
  exception_globals* exceptions = nullptr;  // this thread's, as libsupc++ keeps them
  int* errno_at = nullptr;
  bool spinning = false;
  goroutine* wired = nullptr;    // the only goroutine that this thread runs
  goroutine* pending = nullptr;  // taken from the queue by next_local, to be run by the loop
  std::uint32_t index = 0;
  atomic<int> tid{0};

  // The sleep of a worker without work. Guarded by scheduler::mu_ until it is woken.
  list_link idle_link;
  processor* given = nullptr;  // handed over by whoever wakes it
  bool given_spinning = false;
  atomic<int> wake_word{0};  // 1: woken; pairs with worker.cc:wait_for_processor

  // What the sampler and the overflow report need of the goroutine on this thread; read in signal
  // handlers.
  atomic<goroutine*> on_cpu{nullptr};
  atomic<wall::mail*> mail{nullptr};  // see wall_sample.cc; null until it was asked once
};

// stamp_ready starts the clock of a foreground goroutine's wait for a processor, stamp_some that of
// one schedule in 64.
inline void stamp_ready(goroutine* g) noexcept {
  if (g->background.load(memory_order_relaxed)) return;  // it waits because it shall
  g->ready_at = internal::monotonic_now().time_since_epoch().count();
}
inline void stamp_some(processor const& p, goroutine* g) noexcept {
  if (p.tick.load(memory_order_relaxed) % 64 == 0) [[unlikely]]
    stamp_ready(g);
}

// bind_worker_to_thread makes w the worker of the calling thread.
void bind_worker_to_thread(worker* w) noexcept;

// current_worker returns this thread's worker, or null on a foreign thread. Never inlined, see
// current_goroutine.
worker* current_worker() noexcept;

}  // namespace vole::internal
