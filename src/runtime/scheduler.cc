// SPDX-License-Identifier: Apache-2.0
// Switching, readiness and processors. Where a worker finds work and how it goes to sleep stands in
// worker.cc.
//
// INVARIANTS
//   A goroutine in state runnable is in exactly one run queue; in state running it is some worker's
//   current.
//   Work is never lost: a ring belongs to a processor that is held (its worker looks there before
//   it lets go) or idle (then the
//   ring is empty); the global queue is filled and looked through, before a processor goes idle,
//   under mu_.
//   A background goroutine (scheduling_class) is never in a ring or in next_, but in background_,
//   from which a worker takes when it finds nothing else; so none goes before a runnable foreground
//   goroutine, unless the background is due: see background.cc.
//   A goroutine that is wired to a worker runs there only: who takes it out of a queue gives his
//   processor to that worker, which sleeps until then and runs nobody else.
//   One worker at most sleeps in epoll (poller_blocked_), and while descriptors or timers are
//   waited for, one does or
//   some worker is awake that will before it sleeps.
// WAKE PROTOCOL
//   Who adds work calls wake_one(): if a processor is idle and no worker is spinning, one is
//   started spinning. A worker that
//   stops spinning because it found work calls wake_one() in turn. One that gives up counts itself
//   out of spinning_ first and
//   looks through all rings once more. These hints may miss a ring that was filled at that very
//   moment: that work still
//   has its owner, and the monitor wakes another worker if the owner does not come to it, or has
//   more in its ring at a look than it runs (a yield wakes nobody). Only the
//   global queue has no
//   owner, and it is under mu_.
//   The timers of an idle processor are run by who looks for work, or, where all have enough, by
//   whom the monitor wakes. Who arms a timer or opens a descriptor without a processor, or on one
//   that is stuck, wakes a worker.
//   ready() into an empty next_ wakes nobody while goroutines here run short slices: the waker is
//   about to park, and
//   a second worker would cost 5 us to run what this one reaches in 50 ns.
// LOCKS  timer_heap::mu_ < chan, poll_handle locks < scheduler::mu_ < stack_pool::mu_. mu_ is held
//        for list operations only,
//        except that a new thread is created under it.
// REJECTED  waking on every ready(), as Go does: a ping-pong pair then bounces between two workers.
//           A switch through the worker's own stack at each park: two switches instead of one.
//           Taking the processor of a stuck worker away, as Go does: each entry has to ask whether
//           it was taken (ping-pong 27 % slower by an exchange, 3 % by membarrier), and a spare
//           with a wake at once gives the same: docs/design/0009.
//           Preemption by signal: unsafe in C++ (malloc, TLS, locks of foreign libraries).
// Source: Go runtime/proc.go (ready, wakep, handoffp, schedule).

#include "runtime/scheduler.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cxxabi.h>

#include "runtime/asymmetric.h"
#include "runtime/bubble.h"
#include "runtime/env.h"
#include "runtime/escaped.h"
#include "runtime/exit_hold.h"
#include "runtime/fork_locks.h"
#include "runtime/goroutine_local.h"
#include "runtime/labels.h"
#include "runtime/monitor.h"
#include "runtime/netpoll.h"
#include "runtime/signal.h"
#include "runtime/thread_stack.h"

namespace vole::internal {
namespace {

constexpr std::uint32_t fairness_tick =
    61;  // as Go: every so often the global queue, timers and net come first
constexpr std::uint32_t timer_tick = 8;
constexpr std::uint32_t slice_group = 16;
constexpr duration slice_short = std::chrono::microseconds(10);
constexpr std::uint32_t cached_stacks_max = 64;
constexpr std::uint32_t id_block = 64;
constexpr std::uint64_t depth_tick = 1024;  // of the stacks that end, one in so many is measured

[[gnu::tls_model("initial-exec")]] constinit thread_local worker* this_worker = nullptr;

// Whether a goroutine goes over the global queue, to any processor. Under the sanitizers one
// schedule in four does: what must not be kept over a park (errno, thread_local, an exception in
// flight) is then found to be.
bool migrates([[maybe_unused]] worker const& w, goroutine const& g) noexcept {
#if VOLE_ASAN || VOLE_TSAN
  if (w.held->tick.load(memory_order_relaxed) % 4 == 0) return true;
#endif
  return the_scheduler().queued_apart(g);
}

void after_yield(worker&, void* arg) {
  the_scheduler().requeue(static_cast<goroutine*>(arg));
}

void after_end(worker&, void* arg) {
  auto* const g = static_cast<goroutine*>(arg);
#if VOLE_TSAN
  __tsan_destroy_fiber(g->context.tsan);
#endif
  the_scheduler().give_block(g);
}

[[gnu::noinline, gnu::cold]] void note_latency(processor& p, goroutine& g) noexcept {
  std::int64_t const ns = internal::monotonic_now().time_since_epoch().count() - g.ready_at;
  g.ready_at = 0;
  auto const us = static_cast<std::uint64_t>(ns < 0 ? 0 : ns) / 1000;
  auto& bucket = p.latency[std::min<std::size_t>(std::bit_width(us), latency_buckets - 1)];
  bucket.store(bucket.load(memory_order_relaxed) + 1, memory_order_relaxed);
  p.latency_ns_total.store(
      p.latency_ns_total.load(memory_order_relaxed) + static_cast<std::uint64_t>(ns < 0 ? 0 : ns),
      memory_order_relaxed);
}

void enter(worker& w, goroutine& g) noexcept {
  if (g.ready_at != 0) [[unlikely]]
    note_latency(*w.held, g);
  w.current = &g;
  w.on_cpu.store(&g, memory_order_release);  // pairs with wall_sample.cc:look_at_threads
  g.state.store(goroutine_state::running, memory_order_relaxed);
  *w.exceptions = g.exceptions;
  *w.errno_at = g.saved_errno;
}

void leave(worker& w, goroutine& g) noexcept {
  g.exceptions = *w.exceptions;
  g.saved_errno = *w.errno_at;
  // Relaxed, and yet before the stack pointer is set: see vole_fiber_switch.
  g.switches.store(g.switches.load(memory_order_relaxed) + 1, memory_order_relaxed);
}

}  // namespace

constinit immortal<scheduler> scheduler_instance;

[[gnu::noinline]] worker* current_worker() noexcept {
  return this_worker;
}

[[gnu::noinline]] goroutine* current_goroutine() noexcept {
  return this_worker == nullptr ? nullptr : this_worker->current;
}

void bind_worker_to_thread(worker* w) noexcept {
  this_worker = w;
  w->errno_at = &errno;
  w->exceptions = reinterpret_cast<exception_globals*>(abi::__cxa_get_globals());
}

void scheduler::start() noexcept {
  if (started()) return;
  refuse_if_forked();
  raw_lock const once(start_mu_);
  if (started_.load(memory_order_relaxed)) return;
  int const procs = processors_from_environment();
  max_procs_.store(procs, memory_order_relaxed);
  workers_limit_.store(threads_from_environment(workers_limit_.load(), workers_max),
                       memory_order_relaxed);
  the_netpoller().open();
  auto const t = internal::monotonic_now().time_since_epoch().count();
  coarse_now_.store(t, memory_order_relaxed);
  last_poll_.store(t, memory_order_relaxed);
  {
    raw_lock const lock(mu_);
    seed_state_ = seed_from_environment();
    if (seed_state_ != 0) modes_.fetch_or(mode_seeded);
    for (int i = 0; i < procs; ++i) {
      processor* const p = take_free();
      if (p == nullptr) panic("start runtime: no memory for the processors");
      put_idle(p);
    }
  }
  install_signal_handlers();
  report_termination();
  install_stack_host();
  guard_forks();
  hold_at_exit();
  static_cast<void>(membarrier_registered());  // while it is cheap: there are no threads yet
  bound_malloc_arenas(procs);
  monitor::start();
  started_.store(true, memory_order_release);  // pairs with scheduler.h:started
}

// --- readiness
// -----------------------------------------------------------------------------------------

void scheduler::ready(goroutine* g) noexcept {
  g->state.store(goroutine_state::runnable, memory_order_relaxed);
  worker* const w = current_worker();
  if (w == nullptr || w->held == nullptr || migrates(*w, *g)) {
    stamp_ready(g);
    queue_for_all(g);
    return;
  }
  processor& p = *w->held;
  stamp_some(p, g);
  goroutine* const displaced = p.queue.put_next(g);
  if (displaced != nullptr) push_local(p, displaced);
  if (displaced != nullptr || !p.slices_short.load(memory_order_relaxed)) wake_one();
}

void scheduler::ready_all(goroutine_chain& chain) noexcept {
  worker* const w = current_worker();
  if (w == nullptr || w->held == nullptr || seeded()) {
    overflow_to_global(chain);
  } else {
    goroutine_chain apart;
    while (goroutine* g = chain.pop()) {
      stamp_some(*w->held, g);
      queued_apart(*g) ? apart.push(g) : push_local(*w->held, g);
    }
    if (apart.count > 0) overflow_to_global(apart);
  }
  wake_one();
}

void scheduler::requeue(goroutine* g) noexcept {
  g->state.store(goroutine_state::runnable, memory_order_relaxed);
  worker* const w = current_worker();
  if (w != nullptr && w->held != nullptr) {
    processor& p = *w->held;
    p.yields.store(p.yields.load(memory_order_relaxed) + 1, memory_order_relaxed);
    if (!migrates(*w, *g)) {
      stamp_some(p, g);
      push_local(p, g);  // wakes nobody: this processor comes to it after what is queued already
      return;
    }
  }
  stamp_ready(g);
  // This worker comes to the background itself, unless it has gone on to another goroutine.
  bool const comes = w != nullptr && w->held != nullptr && w->current == nullptr &&
                     g->background.load(memory_order_relaxed);
  queue_for_all(g, !comes);
}

// queue_for_all gives g to any processor, and wakes one that may run it.
void scheduler::queue_for_all(goroutine* g, bool wake) noexcept {
  bool const background = g->background.load(memory_order_relaxed);
  goroutine_chain chain;
  chain.push(g);
  overflow_to_global(chain);  // from here on g is whoever's takes it
  if (wake && (!background || background_has_room())) wake_one();
}

void scheduler::spawned(goroutine* g) noexcept {
  worker* const w = current_worker();
  if (w != nullptr && w->held != nullptr) {
    auto& created = w->held->created;
    created.store(created.load(memory_order_relaxed) + 1, memory_order_relaxed);
  } else {
    foreign_created_.fetch_add(1, memory_order_relaxed);
  }
  ready(g);
}

void scheduler::push_local(processor& p, goroutine* g) noexcept {
  goroutine_chain overflow;
  p.queue.push(g, overflow);
  if (overflow.count > 0) overflow_to_global(overflow);
}

void scheduler::overflow_to_global(goroutine_chain& chain) noexcept {
  refuse_if_forked();
  raw_lock const lock(mu_);
  std::size_t const background = background_.count;
  while (goroutine* g = chain.pop()) {
    (g->background.load(memory_order_relaxed) ? background_ : global_).push(g);
  }
  global_size_.store(global_.count, memory_order_relaxed);
  if (background_.count == background) return;
  if (background == 0) {
    background_waits_since_.store(internal::monotonic_now().time_since_epoch().count(),
                                  memory_order_relaxed);
  }
  // seq_cst: pairs with scheduler.h:background_may_run
  background_size_.store(background_.count);
}

// take_from_stuck gives what waits on a processor whose owner does not come to it to all.
void scheduler::take_from_stuck(processor& p) noexcept {
  run_queue aside;
  goroutine_chain chain;
  while (goroutine* g = p.queue.steal_into(aside)) {
    chain.push(g);
    while (goroutine* more = aside.take()) chain.push(more);
  }
  if (goroutine* const g = p.queue.steal_next()) chain.push(g);
  if (chain.count == 0) return;
  overflow_to_global(chain);
  wake_one();
}

// --- switching
// -----------------------------------------------------------------------------------------

// next_local picks the goroutine to switch to without leaving the parking one's stack, or null: ask
// the loop.
goroutine* scheduler::next_local(worker& w) noexcept {
  processor* const p = w.held;
  if (modes_.load(memory_order_relaxed) != 0) [[unlikely]] {
    if (goes_over_loop(w)) return nullptr;
  }
  if (p == nullptr || w.wired != nullptr) return nullptr;
  std::uint64_t const tick = p->tick.load(memory_order_relaxed) + 1;
  if (tick % slice_group == 0) note_slice(*p);
  if (tick % fairness_tick == 0) return nullptr;
  if (surplus_.load(memory_order_relaxed) != 0 && p->spare.load(memory_order_relaxed)) {
    return nullptr;
  }
  if (tick % timer_tick == 0 && p->timers.next_when() != never) return nullptr;
  goroutine* const g = take_local(*p, coarse_now());
  if (g == nullptr) return nullptr;
  p->tick.store(tick, memory_order_relaxed);
  if (g->wired != nullptr) {
    w.pending = g;  // the loop takes it to its own worker
    return nullptr;
  }
  return g;
}

// goes_over_loop: the loop chooses, since the schedule is seeded, the background goes first or the
// process ends.
// Tells who wants to know of switches.
[[gnu::noinline]] bool scheduler::goes_over_loop(worker& w) noexcept {
  std::uint8_t const modes = modes_.load(memory_order_relaxed);
  if ((modes & mode_checked) != 0 && w.current != nullptr) {
    auto* const check = switch_check_.load(memory_order_relaxed);
    if (check != nullptr) check(*w.current);
  }
  if ((modes & mode_held) != 0) {
    if (w.current != nullptr && w.current == exiting_.load()) let_on();  // it waits
    if (w.held != nullptr && w.held->turn.load(memory_order_relaxed) != background_turn::none) {
      end_background_turn(*w.held);
    }
    return true;
  }
  if ((modes & mode_seeded) != 0) return true;
  return (modes & mode_background) != 0 && w.held != nullptr && background_goes_first(*w.held);
}

void scheduler::check_switches(void (*check)(goroutine&) noexcept) noexcept {
  switch_check_.store(check);
  modes_.fetch_or(mode_checked);
}

void scheduler::note_slice(processor& p) noexcept {
  time_point const t = internal::monotonic_now();
  p.slices_short.store(t - p.slice_mark < slice_short * slice_group, memory_order_relaxed);
  p.slice_mark = t;
  note_time(t);
}

// note_time keeps the coarse clock going, also where the monitor has no core; seldom, since the
// others read it.
void scheduler::note_time(time_point t) noexcept {
  constexpr duration behind_max = std::chrono::milliseconds(1);
  if (t - coarse_now() < behind_max) return;
  coarse_now_.store(t.time_since_epoch().count(), memory_order_relaxed);
}

void scheduler::run_after(worker& w) noexcept {
  if (w.after == nullptr) return;
  auto* const after = w.after;
  w.after = nullptr;
  after(w, w.after_arg);
}

void scheduler::execute(worker& w, goroutine* g) noexcept {
  enter(w, *g);
  fiber_switch(w.loop, g->context);
  run_after(w);
}

void scheduler::switch_away(goroutine& self, void (*after)(worker&, void*), void* arg) noexcept {
  {
    worker& w = *current_worker();
    leave(w, self);
    w.after = after;
    w.after_arg = arg;
    if (goroutine* const next = next_local(w)) {
      enter(w, *next);
      fiber_switch(self.context, next->context);
    } else {
      w.current = nullptr;
      w.on_cpu.store(nullptr, memory_order_relaxed);
      fiber_switch(self.context, w.loop);
    }
  }
  run_after(*current_worker());
}

void scheduler::yield() noexcept {
  goroutine* const self = current_goroutine();
  if (self == nullptr) return;
  switch_away(*self, &after_yield, self);
}

void scheduler::end_goroutine(goroutine& self) noexcept {
  worker& w = *current_worker();
  if (processor* const p = w.held) {
    p->ended.store(p->ended.load(memory_order_relaxed) + 1, memory_order_relaxed);
  } else {
    foreign_ended_.fetch_add(1, memory_order_relaxed);
  }
  self.state.store(goroutine_state::dead, memory_order_relaxed);
  if (self.labels != nullptr) [[unlikely]] {
    labels::release(self.labels);
    labels::put(self, nullptr);
  }
  if (self.bubble != nullptr) [[unlikely]]
    std::exchange(self.bubble, nullptr)->ended();
  self.wired = nullptr;
  self.wired_depth = 0;
  w.wired = nullptr;
  w.after = &after_end;
  w.after_arg = &self;
  if (goroutine* const next = next_local(w)) {
    enter(w, *next);
    fiber_switch(self.context, next->context, true);
  } else {
    w.current = nullptr;
    w.on_cpu.store(nullptr, memory_order_relaxed);
    fiber_switch(self.context, w.loop, true);
  }
  __builtin_unreachable();
}

// goroutine_main is the first function on every goroutine's stack.
void goroutine_main(void* arg) {
  fiber_entered();
  auto& self = *static_cast<goroutine*>(arg);
  {
    worker& w = *current_worker();
    if (w.after != nullptr) {
      auto* const after = w.after;
      w.after = nullptr;
      after(w, w.after_arg);
    }
  }
  if (self.on_exception == nullptr) {
    self.invoke(self.closure);
  } else {
    run_hooked(self);
  }
  if (self.locals != nullptr) destroy_locals(self);
  the_scheduler().end_goroutine(self);
}

// --- stacks
// --------------------------------------------------------------------------------------------

goroutine* scheduler::take_block(int size_class, std::errc* why) noexcept {
  worker* const w = current_worker();
  if (w == nullptr || w->held == nullptr || size_class != stack_class_default) {
    return stacks_.take(size_class, why);
  }
  processor& p = *w->held;
  if (p.cached_stacks == nullptr) {
    p.cached_stacks = stacks_.take_pooled(size_class, cached_stacks_max / 2);
    p.cached_count = 0;
    for (goroutine* g = p.cached_stacks; g != nullptr; g = g->next) ++p.cached_count;
    if (p.cached_stacks == nullptr) return stacks_.take(size_class, why);
  }
  goroutine* const g = p.cached_stacks;
  p.cached_stacks = g->next;
  --p.cached_count;
  return g;
}

void scheduler::give_block(goroutine* g) noexcept {
  worker* const w = current_worker();
  g->id.store(0, memory_order_relaxed);
  g->next = nullptr;
  if (w == nullptr || w->held == nullptr || g->size_class != stack_class_default) {
    stacks_.give_many(g->size_class, g);
    return;
  }
  processor& p = *w->held;
  if (p.ended.load(memory_order_relaxed) % depth_tick == 0) stacks_.note_depth(*g);
  g->next = p.cached_stacks;
  p.cached_stacks = g;
  if (++p.cached_count < cached_stacks_max) return;
  // Keep the hottest half.
  goroutine* last = p.cached_stacks;
  for (std::uint32_t i = 1; i < cached_stacks_max / 2; ++i) last = last->next;
  goroutine* const rest = last->next;
  last->next = nullptr;
  p.cached_count = cached_stacks_max / 2;
  stacks_.give_many(stack_class_default, rest);
}

std::uint64_t scheduler::next_id(processor* p) noexcept {
  if (p == nullptr) return ids_.fetch_add(1, memory_order_relaxed) + 1;
  if (p->id_next == p->id_end) {
    p->id_next = ids_.fetch_add(id_block, memory_order_relaxed) + 1;
    p->id_end = p->id_next + id_block;
  }
  return p->id_next++;
}

}  // namespace vole::internal
