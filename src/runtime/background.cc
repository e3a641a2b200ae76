// SPDX-License-Identifier: Apache-2.0
// The background: goroutines that run when nothing else wants to, and for a tenth of the time even
// then.
//
// INVARIANTS
//   A runnable background goroutine is in background_, under mu_, and nowhere else. Where the
//   schedule is seeded there are none: it knows no classes.
//   A processor is in a background turn (processor::turn) exactly while a background goroutine runs
//   on it, whoever holds it: the turn goes along to the thread of a wired goroutine, ends when the
//   goroutine leaves the processor or enters blocking(), and begins anew when it comes back.
//   At most all processors but one are in a turn (one, where there is one only): a request that
//   comes finds one that is not. Spare processors do not raise that bound: goroutines that compute
//   without end in the background do not draw one spare after the other. A turn whose thread sleeps
//   in the kernel is excused by the monitor, and counts again when it computes: it wants no
//   processor, and those who could wake it may be background themselves.
//   A worker begins a turn when its own ring, the global queue, the poller and the other rings are
//   empty, or when the background of its processor is due: see next_background_turn.
//   What the foreground has in the ring of a processor in a turn may be stolen whole, as from one
//   whose goroutines do not park soon.
// WAKE PROTOCOL
//   Who fills background_ wakes a worker if there is room; who makes room (the end of a turn, the
//   monitor) does if background_ is filled; each does its own before it looks at the other's. A
//   worker that goes on to background_ itself wakes nobody. Before a worker sleeps it looks there
//   under mu_. The monitor does not sleep while some background goroutine could run and does not.
// COST   A switch asks for nothing of this before the first background goroutine is started: modes_
//        is zero. Afterwards for one word more, while any waits for the clock at one switch in 8.
// REJECTED  a second ring for each processor: a load more on every switch, and the bound would be
//           counted over all of them anyway.
//           A turn at one schedule in 61: short turns have next to nothing beside requests that
//           compute for long.
//           A low nice value for the thread: it could not be raised again without privilege.
// Source: Linux' SCHED_IDLE in what it is for; the share is bounded as fair servers bound it.

#include "runtime/background.h"

#include <algorithm>

#include "runtime/scheduler.h"

namespace vole::internal {
namespace {

constexpr std::uint64_t clock_tick = 8;

}  // namespace

bool scheduler::background_has_room() const noexcept {
  // seq_cst: pairs with background.cc:leave_turn
  return background_running_.load() < std::max(max_procs() - 1, 1);
}

// --- turns
// ---------------------------------------------------------------------------------------------

void scheduler::begin_background_turn(processor& p) noexcept {
  background_running_.fetch_add(1);
  background_turns_.fetch_add(1, memory_order_relaxed);
  p.turn_began = internal::monotonic_now();
  p.slices_were_short = p.slices_short.load(memory_order_relaxed);
  p.slices_short.store(false, memory_order_relaxed);
  p.turn.store(background_turn::counted);
}

// leave_turn makes room, unless the monitor has.
void scheduler::leave_turn(processor& p) noexcept {
  // seq_cst: pairs with background.cc:background_has_room
  if (p.turn.exchange(background_turn::none) == background_turn::counted) {
    background_running_.fetch_sub(1);
  }
}

// end_background_turn returns the time.
time_point scheduler::end_background_turn(processor& p) noexcept {
  time_point const t = internal::monotonic_now();
  time_point const wanted(duration(background_waits_since_.load(memory_order_relaxed)));
  p.background_due = next_background_turn(std::max(p.background_due, wanted), p.turn_began, t);
  p.slices_short.store(p.slices_were_short, memory_order_relaxed);
  p.slice_mark += t - p.turn_began;
  leave_turn(p);
  // Others may have found no room, and this processor has something better to do now.
  if (!p.queue.empty() && background_may_run()) wake_one();
  return t;
}

// background_goes_first is asked at a switch away from p's goroutine: whether the background has a
// turn now.
bool scheduler::background_goes_first(processor& p) noexcept {
  bool const ended = p.turn.load(memory_order_relaxed) != background_turn::none;
  time_point t{};
  if (ended) t = end_background_turn(p);
  if (!background_may_run()) return false;
  if (!ended) {
    bool const often = !p.slices_short.load(memory_order_relaxed);
    if (!often && p.tick.load(memory_order_relaxed) % clock_tick != 0) return false;
    t = internal::monotonic_now();
  }
  return t >= p.background_due;
}

// --- the queue
// -----------------------------------------------------------------------------------------

goroutine* scheduler::take_background(processor& p) noexcept {
  if (!background_may_run()) return nullptr;
  goroutine* const g = background_.pop();
  background_size_.store(background_.count);
  begin_background_turn(p);
  return g;
}

// take_due_background is for a processor that may have work of the foreground.
goroutine* scheduler::take_due_background(processor& p) noexcept {
  goroutine* g = nullptr;
  {
    raw_lock const lock(mu_);
    g = take_background(p);
  }
  if (g != nullptr && !p.queue.empty()) wake_one();
  return g;
}

goroutine* scheduler::take_wired_background(processor& p) noexcept {
  if (!background_may_run()) return nullptr;
  goroutine* const g = take_first_wired(background_);
  if (g == nullptr) return nullptr;
  background_size_.store(background_.count);
  begin_background_turn(p);
  return g;
}

void scheduler::put_background_apart(goroutine_chain& chain) noexcept {
  goroutine_chain apart;
  goroutine_chain rest;
  while (goroutine* const g = chain.pop()) {
    (g->background.load(memory_order_relaxed) ? apart : rest).push(g);
  }
  chain = rest;
  if (apart.count == 0) return;
  overflow_to_global(apart);
  if (background_may_run()) wake_one();
}

// --- for the monitor
// -----------------------------------------------------------------------------------

// excuse_turn makes room for others while the thread of a turn sleeps in the kernel.
void scheduler::excuse_turn(processor& p) noexcept {
  auto expected = background_turn::counted;
  if (p.turn.compare_exchange_strong(expected, background_turn::excused)) {
    background_running_.fetch_sub(1);
  }
}

void scheduler::count_turn(processor& p) noexcept {
  background_running_.fetch_add(1);  // first: whoever ends a turn that counts takes it back
  auto expected = background_turn::excused;
  if (!p.turn.compare_exchange_strong(expected, background_turn::counted)) {
    background_running_.fetch_sub(1);
  }
}

}  // namespace vole::internal
