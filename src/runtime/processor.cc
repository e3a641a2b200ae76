// SPDX-License-Identifier: Apache-2.0
// Processors: who holds which, blocking sections, goroutines wired to their thread, and how many
// processors there are. Invariants and lock order: scheduler.cc.
//
// A processor comes into being when it is first needed and is never freed. More than max_procs
// exist while workers are stuck (spares, see monitor.cc) or after max_procs was lowered: then the
// ones too many are called spares, and go the way of spares.

#include <algorithm>
#include <new>

#include "base/futex.h"
#include "runtime/env.h"
#include "runtime/monitor.h"
#include "runtime/netpoll.h"
#include "runtime/scheduler.h"

namespace vole::internal {
namespace {

void after_leave(worker&, void* arg) {
  the_scheduler().requeue(static_cast<goroutine*>(arg));
}

}  // namespace

// --- blocking sections
// -----------------------------------------------------------------------------------

void scheduler::enter_blocking(goroutine& self) noexcept {
  if (self.blocking_depth++ > 0) return;
  worker& w = *current_worker();
  self.since.store(coarse_now_.load(memory_order_relaxed), memory_order_relaxed);
  // pairs with exit_hold.cc:all_stand_still
  self.state.store(goroutine_state::blocking, memory_order_release);
  blocking_calls_.fetch_add(1, memory_order_relaxed);
  if (w.held == nullptr) return;
  if (w.held->turn.load(memory_order_relaxed) != background_turn::none)
    end_background_turn(*w.held);
  hand_over(unhold(w));
}

void scheduler::leave_blocking(goroutine& self) noexcept {
  refuse_if_forked();
  if (--self.blocking_depth > 0) return;
  worker& w = *current_worker();
  if (w.held == nullptr) {
    raw_lock const lock(mu_);
    bool const goes_on = !held() || exiting_.load() == &self;
    // A background goroutine neither takes the last processor nor goes before those that wait.
    bool const background = self.background.load(memory_order_relaxed);
    bool const may = goes_on && (!background || (background_.count == 0 && background_has_room()));
    if (processor* const p = may ? take_idle() : nullptr) {
      hold(w, p);
      // Under the lock: exit_hold.cc:all_stand_still sees it run, or it sees the hold.
      self.state.store(goroutine_state::running, memory_order_relaxed);
      if (background) begin_background_turn(*p);
    }
  }
  blocking_calls_.fetch_sub(1, memory_order_relaxed);
  if (w.held != nullptr) return;
  switch_away(self, &after_leave, &self);
}

// hand_over gives away the processor of a worker that is about to stop.
void scheduler::hand_over(processor* p) noexcept {
  refuse_if_forked();
  raw_lock const lock(mu_);
  if (p->queue.empty() && global_.count == 0 && !background_may_run()) {
    // Idle before the look: who arms a timer or opens a descriptor after it finds whom to wake.
    put_idle(p);
    // If everybody else is asleep and nobody waits for descriptors and timers, this processor must
    // not sleep yet.
    bool const last_awake = idle_count_locked_ >= processor_count_.load(memory_order_relaxed) &&
                            !poller_blocked_.load() &&
                            (the_netpoller().handles() > 0 || next_timer() != never);
    if (!last_awake) return;
    p = take_idle();
  }
  handoffs_.fetch_add(1, memory_order_relaxed);
  start_worker(p, false);
}

// --- wired goroutines
// -----------------------------------------------------------------------------------

void scheduler::wire(goroutine& self) noexcept {
  if (self.wired_depth++ > 0) return;
  worker& w = *current_worker();
  self.wired = &w;
  w.wired = &self;
}

void scheduler::unwire(goroutine& self) noexcept {
  if (self.wired_depth == 0 || --self.wired_depth > 0) return;
  current_worker()->wired = nullptr;
  self.wired = nullptr;
}

// wait_wired is the loop of a worker whose goroutine has parked: it sleeps until whoever finds the
// goroutine in a run queue brings a processor.
void scheduler::wait_wired(worker& w) noexcept {
  if (w.held != nullptr) hand_over(unhold(w));
  bool deadlock = false;
  {
    raw_lock const lock(mu_);
    ++wired_waiting_;
    deadlock = falls_asleep();
  }
  if (deadlock) report_deadlock();
  wait_for_processor(w);
  raw_lock const lock(mu_);
  --wired_waiting_;
}

void scheduler::pass_processor(worker& from, worker& to) noexcept {
  give_processor(unhold(from), to, false);
}

// --- processors
// ------------------------------------------------------------------------------------------

void scheduler::hold(worker& w, processor* p) noexcept {
  p->state.store(processor_state::running, memory_order_relaxed);
  p->holder.store(&w, memory_order_release);  // pairs with monitor.cc:look_at_ticks
  w.held = p;
}

processor* scheduler::unhold(worker& w) noexcept {
  processor* const p = w.held;
  w.held = nullptr;
  p->holder.store(nullptr, memory_order_relaxed);
  return p;
}

void scheduler::put_idle(processor* p) noexcept {
  p->state.store(processor_state::idle, memory_order_relaxed);
  p->stuck.store(false, memory_order_relaxed);
  p->next = idle_;
  idle_ = p;
  // seq_cst: pairs with worker.cc:wake_one, whose caller has armed a timer or opened a descriptor
  // before; the worker that comes from here, or hand_over, looks for those afterwards
  idle_count_.store(++idle_count_locked_);
}

processor* scheduler::take_idle() noexcept {
  processor* const p = idle_;
  if (p == nullptr) return nullptr;
  idle_ = p->next;
  idle_count_.store(
      // seq_cst: pairs with monitor.cc:main, which sets its word and reads this
      --idle_count_locked_);
  p->tick.store(p->tick.load(memory_order_relaxed) + 1, memory_order_relaxed);
  monitor::wake_if_asleep();
  return p;
}

processor* scheduler::take_free() noexcept {
  if (processor* const p = free_) {
    free_ = p->next;
    processor_count_.fetch_add(1, memory_order_relaxed);
    return p;
  }
  std::uint32_t n = 0;
  while (n < processors_max && processors_[n].load(memory_order_relaxed) != nullptr) ++n;
  if (n == processors_max) return nullptr;
  auto* const p = new (std::nothrow) processor;
  if (p == nullptr) return nullptr;
  p->index = n;
  processors_[n].store(p, memory_order_release);  // pairs with worker.cc:steal
  processor_count_.fetch_add(1, memory_order_relaxed);
  return p;
}

// release_spare frees a processor that the caller alone holds: its work goes to the global queue,
// its timers elsewhere.
void scheduler::release_spare(processor* p) noexcept {
  timer_heap& heir = processors_[0].load(memory_order_relaxed)->timers;
  p->timers.move_to(heir);
  if (p->cached_stacks != nullptr) stacks_.give_many(stack_class_default, p->cached_stacks);
  p->cached_stacks = nullptr;
  p->cached_count = 0;
  {
    raw_lock const lock(mu_);
    empty_to_global(*p);
    // Not before: make_spares() would take one that leaves for one that stays.
    p->spare.store(false, memory_order_relaxed);
    p->state.store(processor_state::free, memory_order_relaxed);
    p->next = free_;
    free_ = p;
    processor_count_.fetch_sub(1, memory_order_relaxed);
  }
  // A worker that asked every heap for its next timer meanwhile may have seen these in neither.
  if (time_point const when = heir.next_when(); when != never) {
    if (!poller_blocked_.load()) {
      wake_one();
    } else if (time_point(duration(poll_until_.load())) > when) {
      the_netpoller().interrupt();
    }
  }
}

void scheduler::empty_to_global(processor& p) noexcept {
  while (goroutine* g = p.queue.take_next()) global_.push(g);
  while (goroutine* g = p.queue.take()) global_.push(g);
  global_size_.store(global_.count, memory_order_relaxed);
}

// --- how many
// -------------------------------------------------------------------------------------------

int scheduler::set_max_procs(int n) noexcept {
  start();
  raw_lock const one_change(start_mu_);
  int const before = max_procs();
  if (n < 1 || n == before) return before;
  n = std::min(n, procs_max);
  {
    raw_lock const lock(mu_);
    for (int i = before; i < n; ++i) {
      if (processor* const p = take_free()) put_idle(p);
    }
    if (n < before) make_spares(before - n);
    max_procs_.store(n, memory_order_relaxed);
  }
  if (n > before) {
    wake_one();
  } else {
    monitor::wake_if_asleep();  // it sees more spares than stuck processors and lets them go
  }
  return before;
}

// make_spares turns processors into spares. The first stays: it inherits the timers of those that
// go.
void scheduler::make_spares(int count) noexcept {
  for (std::uint32_t i = 1; i < processors_max && count > 0; ++i) {
    processor* const p = processors_[i].load(memory_order_relaxed);
    if (p == nullptr) return;
    if (p->state.load(memory_order_relaxed) == processor_state::free) continue;
    if (p->spare.exchange(true)) continue;
    spares_.fetch_add(1, memory_order_relaxed);
    --count;
  }
}

std::uint32_t scheduler::set_max_threads(std::uint32_t n) noexcept {
  return workers_limit_.exchange(std::clamp(n, 1u, workers_max));
}

}  // namespace vole::internal
