// SPDX-License-Identifier: Apache-2.0
// The background: goroutines that run when nothing else wants to, and a little even then.
//
// INVARIANTS
//   A runnable background goroutine is in background_, under mu_, and nowhere else (in global_ where
//   the schedule is seeded, which knows no classes).
//   A worker takes one when its own ring, the global queue, the poller and the other rings are
//   empty, or at the tick set aside. It is then in a background turn until its goroutine leaves it,
//   enters blocking() or is passed to the thread it is wired to.
//   At most all processors but one are in a turn (one, where there is one only): a request that
//   comes finds one that is not. Spare processors do not raise that bound: goroutines that compute
//   without end in the background do not draw one spare after the other.
//   One tick in 61 is set aside on each processor, but after a turn that took t not before 9 t have
//   passed: the foreground keeps nine tenths of the time whatever the turns take.
//   Nothing of this is looked at by a switch before the first background goroutine is started:
//   modes_ is zero.
// REJECTED  a second ring for each processor: a load more on every switch, and the bound would be
//           counted over all of them anyway.
//           A low nice value for the thread: it could not be raised again without privilege.
// Source: Linux' SCHED_IDLE in what it is for; the share is bounded as fair servers bound it.

#include <algorithm>

#include "runtime/scheduler.h"

namespace vole::internal {
namespace {

constexpr std::uint64_t every_ticks = 61;  // as often as the global queue, but at another tick
constexpr std::uint64_t tick_of_turn = 30;
constexpr int rest_per_turn = 9;

}  // namespace

bool scheduler::background_has_room() const noexcept {
  return background_running_.load(memory_order_relaxed) < std::max(max_procs() - 1, 1);
}

bool scheduler::background_tick(processor const& p) const noexcept {
  return (p.tick.load(memory_order_relaxed) + 1) % every_ticks == tick_of_turn &&
         internal::monotonic_now() >= p.background_at && background_has_room();
}

goroutine* scheduler::take_background(worker& w) noexcept {
  if (!background_may_run()) return nullptr;
  goroutine* const g = background_.pop();
  background_size_.store(background_.count, memory_order_relaxed);
  background_running_.fetch_add(1);
  background_turns_.fetch_add(1, memory_order_relaxed);
  w.background_since = internal::monotonic_now();
  return g;
}

goroutine* scheduler::take_background_turn(worker& w) noexcept {
  raw_lock const lock(mu_);
  return take_background(w);
}

void scheduler::end_background_turn(worker& w) noexcept {
  time_point const t = internal::monotonic_now();
  if (w.held != nullptr) w.held->background_at = t + rest_per_turn * (t - w.background_since);
  w.background_since = {};
  background_running_.fetch_sub(1);
  // Others may have found the bound reached, and this worker has something better to do now.
  if ((w.held == nullptr || !w.held->queue.empty()) && background_may_run()) wake_one();
}

void scheduler::put_background_apart(goroutine_chain& chain) noexcept {
  goroutine_chain apart;
  goroutine_chain rest;
  while (goroutine* const g = chain.pop()) (queued_apart(*g) && !seeded() ? apart : rest).push(g);
  chain = rest;
  if (apart.count == 0) return;
  overflow_to_global(apart);
  wake_one();
}

}  // namespace vole::internal
