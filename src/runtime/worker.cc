// SPDX-License-Identifier: Apache-2.0
// The worker's loop: where work is looked for, and how a worker goes to sleep. Invariants, wake
// protocol and lock order:
// scheduler.cc.
//
// The order in which a worker looks: every 61st schedule the global queue; due timers; its ring;
// the global queue; the
// netpoller without waiting; the other processors, four rounds, then their timers; the background
// queue (which also goes first when it is due, see background.cc); then it lets its processor go,
// looks once more, and sleeps: in epoll when nobody else does and something is waited for there,
// else on its wake word.
// Source: Go runtime/proc.go findRunnable.

#include <cstdio>
#include <cstdlib>
#include <new>
#include <pthread.h>
#include <string>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>

#include "base/rand.h"
#include "runtime/bubble.h"
#include "runtime/dump.h"
#include "runtime/env.h"
#include "runtime/monitor.h"
#include "runtime/netpoll.h"
#include "runtime/sample.h"
#include "runtime/scheduler.h"
#include "runtime/signal.h"

namespace vole::internal {
namespace {

constexpr int steal_rounds = 4;
constexpr std::size_t global_batch_max = 128;

}  // namespace

// --- threads
// -------------------------------------------------------------------------------------------

worker* scheduler::new_worker() noexcept {
  std::uint32_t const n = worker_count_.load(memory_order_relaxed);
  if (n >= workers_limit_.load(memory_order_relaxed)) return nullptr;
  auto* const w = new (std::nothrow) worker;
  if (w == nullptr) return nullptr;
  w->index = n;
  if (start_thread(&worker_main, w) != 0) {
    delete w;
    return nullptr;
  }
  workers_[n].store(w, memory_order_release);  // pairs with worker.cc:for_each_worker
  worker_count_.store(n + 1, memory_order_relaxed);
  return w;
}

void* scheduler::worker_main(void* arg) noexcept {
  auto& w = *static_cast<worker*>(arg);
  bind_worker_to_thread(&w);
  w.tid.store(static_cast<int>(::syscall(SYS_gettid)), memory_order_relaxed);
  char name[16];
  std::snprintf(name, sizeof name, "vole-%u", w.index);
  ::prctl(PR_SET_NAME, name);
  ::prctl(PR_SET_TIMERSLACK, 1000UL);  // the default of 50 us would be the lateness of every sleep
#if VOLE_TSAN
  w.loop.tsan = __tsan_get_current_fiber();
#endif
#if VOLE_ASAN
  pthread_attr_t attr;
  void* low = nullptr;
  ::pthread_getattr_np(::pthread_self(), &attr);
  ::pthread_attr_getstack(&attr, &low, &w.loop.stack_bytes);
  w.loop.stack_low = low;
  ::pthread_attr_destroy(&attr);
#endif
  prepare_thread_for_signals();
  sample::thread_started();
  the_scheduler().loop(w);
}

void scheduler::loop(worker& w) noexcept {
  wait_for_processor(w);  // the one that made this thread gives it one
  while (true) {
    goroutine* const g =
        w.pending != nullptr ? std::exchange(w.pending, nullptr) : find_runnable(w);
    if (held()) [[unlikely]]
      wait_while_held();
    if (g->wired != nullptr) {
      pass_processor(w, *g->wired);
      continue;
    }
    execute(w, g);
    while (w.wired != nullptr) {
      wait_wired(w);
      if (held()) [[unlikely]]
        wait_while_held();
      execute(w, w.wired);
    }
  }
}

void scheduler::for_each_worker(void (*visit)(void*, worker&), void* arg) noexcept {
  for (auto const& slot : workers_) {
    worker* const w = slot.load(memory_order_acquire);  // pairs with worker.cc:new_worker
    if (w == nullptr) return;
    visit(arg, *w);
  }
}

// --- waking
// --------------------------------------------------------------------------------------------

void scheduler::wake_one() noexcept {
  // seq_cst: pairs with processor.cc:put_idle, worker.cc:let_go, wait_for_net. For work under mu_
  // less would do: whoever changed these before it last found the global queue empty there, has
  // been seen since; whoever has not looked there yet will.
  if (idle_count_.load() == 0) return;
  if (spinning_.load() != 0) return;
  if (poller_blocked_.load() && the_netpoller().interrupt_pending()) return;
  refuse_if_forked();
  std::uint32_t none = 0;
  if (!spinning_.compare_exchange_strong(none, 1)) return;
  raw_lock const lock(mu_);
  if (processor* const p = take_idle()) {
    start_worker(p, true);
  } else {
    spinning_.fetch_sub(1);
  }
}

// start_worker sees to it that some worker runs p or, where p has no work, looks for work.
void scheduler::start_worker(processor* p, bool spinning) noexcept {
  worker* w = idle_workers_.pop_front();
  if (w != nullptr) {
    --idle_worker_count_;
  } else if (poller_blocked_.load() && p->queue.empty()) {
    put_idle(p);
    if (spinning) spinning_.fetch_sub(1);
    the_netpoller().interrupt();
    lacks_thread_.store(false, memory_order_relaxed);
    return;
  } else {
    w = new_worker();
  }
  if (w == nullptr) {  // the limit, or no thread to be had
    lacks_thread_.store(true);
    empty_to_global(*p);
    if (spinning) spinning_.fetch_sub(1);
    if (goroutine* const g = take_wired(*p)) {  // has a thread, which waits
      give_processor(p, *g->wired, false);
      return;
    }
    put_idle(p);
    if (poller_blocked_.load()) the_netpoller().interrupt();
    report_no_thread(worker_count_.load(memory_order_relaxed),
                     workers_limit_.load(memory_order_relaxed));
    monitor::wake_if_asleep();  // it tries again
    return;
  }
  lacks_thread_.store(false, memory_order_relaxed);
  give_processor(p, *w, spinning);
}

// give_processor ends wait_for_processor of a worker that is there, or on its way.
void scheduler::give_processor(processor* p, worker& to, bool spinning) noexcept {
  p->state.store(processor_state::running, memory_order_relaxed);
  p->holder.store(&to, memory_order_release);  // pairs with monitor.cc:look_at_ticks
  to.given = p;
  to.given_spinning = spinning;
  to.wake_word.store(1, memory_order_release);  // pairs with worker.cc:wait_for_processor
  futex_wake(to.wake_word, 1);
}

// stop_worker sleeps until start_worker gives this worker a processor.
void scheduler::stop_worker(worker& w) noexcept {
  bool deadlock = false;
  {
    raw_lock const lock(mu_);
    // At the limit of threads there was nobody to start for what lies there.
    if (global_.count > 0 || background_may_run()) {
      if (processor* const p = take_idle()) {
        hold(w, p);
        return;
      }
    }
    idle_workers_.push_front(w);
    ++idle_worker_count_;
    deadlock = falls_asleep();
  }
  if (deadlock) report_deadlock();
  wait_for_processor(w);
}

void scheduler::wait_for_processor(worker& w) noexcept {
  // pairs with worker.cc:start_worker
  while (w.wake_word.load(memory_order_acquire) == 0) futex_wait(w.wake_word, 0);
  w.wake_word.store(0, memory_order_relaxed);
  note_time(internal::monotonic_now());  // nobody may have looked at the clock while all slept
  processor* const p = w.given;
  w.given = nullptr;
  hold(w, p);
  w.spinning = w.given_spinning;
}

// falls_asleep is asked by a worker that is counted as asleep, or by who kept others from seeing
// that they were the last: whether all are.
bool scheduler::falls_asleep() noexcept {
  if (poller_waits_in_vain()) the_netpoller().interrupt();
  return looks_deadlocked();
}

// looks_deadlocked: every worker sleeps on its word and nothing outside the goroutines is known
// that could ready one.
bool scheduler::looks_deadlocked() noexcept {
  return idle_worker_count_ + wired_waiting_ == worker_count_.load(memory_order_relaxed) &&
         !poller_blocked_.load() && nothing_can_come();
}

// poller_waits_in_vain: the one in epoll sleeps for a descriptor or timer that is no more, and all
// others on their words. Interrupted, it is the last to come to looks_deadlocked.
bool scheduler::poller_waits_in_vain() noexcept {
  return idle_worker_count_ + wired_waiting_ + 1 == worker_count_.load(memory_order_relaxed) &&
         poller_blocked_.load() && nothing_can_come();
}

bool scheduler::nothing_can_come() noexcept {
  return mains_.load() > 0 && global_.count == 0 && background_.count == 0 &&
         idle_count_locked_ == processor_count_.load(memory_order_relaxed) &&
         // The timers first: monitor.cc:run_timers is an external waker before it takes one out.
         blocking_calls_.load() == 0 && next_timer() == never && external_wakers_.load() == 0 &&
         the_netpoller().handles() == 0;
}

void scheduler::check_deadlock() noexcept {
  bool deadlock = false;
  {
    raw_lock const lock(mu_);
    deadlock = falls_asleep();
  }
  if (deadlock) report_deadlock();
}

void scheduler::report_deadlock() noexcept {
  // A plain thread of the program may still wake somebody: workers, the monitor and the thread in
  // run() are ours,
  // and ThreadSanitizer keeps one of its own.
  if (threads_in_process() > worker_count_.load(memory_order_relaxed) + 2 + VOLE_TSAN) return;
  {
    // One that was there at the first look may have woken somebody, and ended before it could be
    // counted.
    raw_lock const lock(mu_);
    if (!looks_deadlocked()) return;
  }
  std::string const text =
      "fatal error: all goroutines are asleep - deadlock!\n\n" + runtime::dump_goroutines();
  write_all(STDERR_FILENO, text);
  std::_Exit(2);
}

// --- finding work
// --------------------------------------------------------------------------------------

goroutine* scheduler::find_runnable(worker& w) noexcept {
  while (true) {
    if (w.held == nullptr || retire_if_surplus(w)) {
      stop_worker(w);
      continue;
    }
    if (goroutine* const g = find_here(w)) return stop_spinning(w, g);
    std::uint32_t const busy =
        processor_count_.load(memory_order_relaxed) - idle_count_.load(memory_order_relaxed);
    if (w.spinning || 2 * spinning_.load(memory_order_relaxed) < busy) {
      if (!w.spinning) {
        w.spinning = true;
        spinning_.fetch_add(1);
      }
      if (goroutine* const g = steal(w)) return stop_spinning(w, g);
    }
    if (goroutine* const g = let_go(w)) return g;
    if (w.held != nullptr) continue;
    bool const waited_for = the_netpoller().handles() > 0 || next_timer() != never;
    if (waited_for && !poller_blocked_.exchange(true)) {
      if (goroutine* const g = wait_for_net(w)) return g;
      continue;
    }
    stop_worker(w);
  }
}

goroutine* scheduler::stop_spinning(worker& w, goroutine* g) noexcept {
  processor& p = *w.held;
  p.tick.store(p.tick.load(memory_order_relaxed) + 1, memory_order_relaxed);
  bool more = background_may_run();
  if (w.spinning) {
    w.spinning = false;
    spinning_.fetch_sub(1);
    more = more || !p.queue.empty() || global_size_.load(memory_order_relaxed) > 0;
  }
  if (more) wake_one();
  return g;
}

// find_here looks where this processor may look without taking from the others.
goroutine* scheduler::find_here(worker& w) noexcept {
  processor& p = *w.held;
  bool const fair = (p.tick.load(memory_order_relaxed) + 1) % 61 == 0;
  if (fair && global_size_.load(memory_order_relaxed) > 0) {
    raw_lock const lock(mu_);
    if (goroutine* const g = take_global(p, 1)) return g;
  }
  // A spinner was woken for what others have.
  if (!w.spinning && background_is_due(p)) {
    if (goroutine* const g = take_due_background(p)) return g;
  }
  if (time_point const when = p.timers.next_when(); when != never) {
    if (time_point const t = internal::monotonic_now(); when <= t) p.timers.run(t);
  }
  if (fair && the_netpoller().handles() > 0) {
    if (goroutine* const g = poll_net(w)) return g;
  }
  if (goroutine* const g = take_local(p, coarse_now())) return g;
  if (global_size_.load(memory_order_relaxed) > 0) {
    raw_lock const lock(mu_);
    if (goroutine* const g = take_global(p, global_batch_max)) return g;
  }
  if (the_netpoller().handles() > 0 && !poller_blocked_.load(memory_order_relaxed)) {
    return poll_net(w);
  }
  return nullptr;
}

// splitmix64.
std::uint64_t scheduler::draw() noexcept {
  std::uint64_t x = seed_state_ += 0x9e3779b97f4a7c15U;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9U;
  x = (x ^ x >> 27) * 0x94d049bb133111ebU;
  return x ^ x >> 31;
}

goroutine* scheduler::take_global(processor& p, std::size_t most) noexcept {
  if (seeded()) {
    if (global_.count == 0) return nullptr;
    seed_fast_rand(draw());  // of what it chooses itself, as select does
    goroutine* const g = global_.take_nth(static_cast<std::size_t>(draw() % global_.count));
    global_size_.store(global_.count, memory_order_relaxed);
    return g;
  }
  std::size_t n = global_.count / static_cast<std::size_t>(max_procs()) + 1;
  if (n > most) n = most;
  if (n > global_.count) n = global_.count;
  if (n == 0) return nullptr;
  goroutine* const g = global_.pop();
  goroutine_chain overflow;
  while (--n > 0) p.queue.push(global_.pop(), overflow);
  while (goroutine* back = overflow.pop()) global_.push(back);
  global_size_.store(global_.count, memory_order_relaxed);
  return g;
}

// take_first_wired takes the first goroutine that is wired to a worker out of a queue; or null.
goroutine* scheduler::take_first_wired(goroutine_chain& from) noexcept {
  std::size_t at = 0;
  goroutine* g = from.first;
  while (at < from.count && g->wired == nullptr) {
    g = g->next;
    ++at;
  }
  if (at == from.count) return nullptr;
  from.take_nth(at);
  return g;
}

// take_wired takes one that p is to be given for out of the queues of all.
goroutine* scheduler::take_wired(processor& p) noexcept {
  goroutine* const g = take_first_wired(global_);
  if (g == nullptr) return take_wired_background(p);
  global_size_.store(global_.count, memory_order_relaxed);
  return g;
}

goroutine* scheduler::steal(worker& w) noexcept {
  processor& mine = *w.held;
  for (int round = 0; round < steal_rounds; ++round) {
    bool const last = round == steal_rounds - 1;
    std::uint32_t count = 0;
    while (count < processors_max && processors_[count].load(memory_order_relaxed) != nullptr)
      ++count;
    std::uint32_t const first = fast_rand_below(count);
    for (std::uint32_t i = 0; i < count; ++i) {
      // pairs with processor.cc:take_free
      processor* const p = processors_[(first + i) % count].load(memory_order_acquire);
      if (p == &mine) continue;
      goroutine* g = p->queue.steal_into(mine.queue);
      if (g == nullptr && last) {
        // Its timers first: they may make something ready here.
        if (time_point const when = p->timers.next_when(); when != never) {
          if (time_point const t = internal::monotonic_now(); when <= t && p->timers.run(t) > 0) {
            g = mine.queue.take_next();
            if (g == nullptr) g = mine.queue.take();
          }
        }
        // What runs next there is left to its owner, unless that one is slow to come to it.
        if (g == nullptr &&
            (p->stuck.load(memory_order_relaxed) || !p->slices_short.load(memory_order_relaxed))) {
          g = p->queue.steal_next();
        }
      }
      if (g != nullptr) {
        mine.steals.store(mine.steals.load(memory_order_relaxed) + 1, memory_order_relaxed);
        return g;
      }
    }
  }
  return nullptr;
}

// let_go gives the processor up; returns a goroutine, or null with or without a processor (look
// again, or sleep).
goroutine* scheduler::let_go(worker& w) noexcept {
  bool const spun = w.spinning;
  goroutine* g = nullptr;
  {
    raw_lock const lock(mu_);
    // Counted out under the lock: whoever adds work from here on sees nobody spinning and starts a
    // worker.
    if (spun) {
      w.spinning = false;
      spinning_.fetch_sub(1);
    }
    g = take_global(*w.held, global_batch_max);
    if (g == nullptr && background_may_run()) {
      if (spun && any_ring_filled()) {  // since it was looked at
        w.spinning = true;
        spinning_.fetch_add(1);
        return nullptr;
      }
      g = take_background(*w.held);
    }
    if (g != nullptr) {
      w.held->tick.store(w.held->tick.load(memory_order_relaxed) + 1, memory_order_relaxed);
    } else {
      put_idle(unhold(w));
    }
  }
  if (g != nullptr) {
    if (background_may_run()) wake_one();
    return g;
  }
  if (!spun || !any_ring_filled()) return nullptr;
  raw_lock const lock(mu_);
  if (processor* const p = take_idle()) {
    hold(w, p);
    w.spinning = true;
    spinning_.fetch_add(1);
  }
  return nullptr;
}

bool scheduler::any_ring_filled() noexcept {
  for (auto const& slot : processors_) {
    processor const* const p =
        slot.load(memory_order_acquire);  // pairs with processor.cc:take_free
    if (p == nullptr) return false;
    if (p->queue.size() > 0) return true;
  }
  return false;
}

bool scheduler::retire_if_surplus(worker& w) noexcept {
  if (surplus_.load(memory_order_relaxed) == 0 || !w.held->spare.load(memory_order_relaxed)) {
    return false;
  }
  {
    raw_lock const lock(mu_);
    if (surplus_.load(memory_order_relaxed) == 0) return false;
    surplus_.fetch_sub(1, memory_order_relaxed);
    spares_.fetch_sub(1, memory_order_relaxed);
    if (w.spinning) {
      w.spinning = false;
      spinning_.fetch_sub(1);
    }
  }
  release_spare(unhold(w));
  wake_one();
  return true;
}

// --- descriptors and timers
// ----------------------------------------------------------------------------

goroutine* scheduler::adopt(worker& w, goroutine_chain& chain) noexcept {
  if ((modes_.load(memory_order_relaxed) & mode_background) != 0) put_background_apart(chain);
  goroutine* const first = chain.pop();
  if (first == nullptr) {
    // A hangup hook fired by the poll may have started a goroutine right here, after the ring was
    // looked at.
    goroutine* const next = w.held->queue.take_next();
    return next != nullptr ? next : w.held->queue.take();
  }
  bool const more = chain.count > 0;
  while (goroutine* g = chain.pop()) {
    stamp_some(*w.held, g);
    push_local(*w.held, g);
  }
  if (more) wake_one();
  return first;
}

goroutine* scheduler::poll_net(worker& w) noexcept {
  goroutine_chain chain;
  time_point const t = the_netpoller().poll(chain, nullptr);
  last_poll_.store(t.time_since_epoch().count(), memory_order_relaxed);
  return adopt(w, chain);
}

time_point scheduler::next_timer() noexcept {
  time_point first = never;
  for (auto const& slot : processors_) {
    processor const* const p =
        slot.load(memory_order_acquire);  // pairs with processor.cc:take_free
    if (p == nullptr) break;
    if (time_point const when = p->timers.next_when(); when < first) first = when;
  }
  return first;
}

// wait_for_net sleeps in epoll until a descriptor is ready, a timer is due or somebody interrupts.
// The caller has
// set poller_blocked_. Comes back with a processor if one is idle.
goroutine* scheduler::wait_for_net(worker& w) noexcept {
  time_point const until = next_timer();
  poll_until_.store(until.time_since_epoch().count());
  // A timer armed after next_timer() either sees poll_until_ and interrupts, or is seen here.
  time_point const deadline = std::min(until, next_timer());
  if (deadline == never && the_netpoller().handles() == 0) [[unlikely]] {
    // What it came for is gone. If the others fell asleep before poller_blocked_ was set, none of
    // them has seen that it waits in vain.
    raw_lock const lock(mu_);
    if (poller_waits_in_vain()) the_netpoller().interrupt();
  }
  goroutine_chain chain;
  time_point const t = the_netpoller().poll(chain, &deadline);
  coarse_now_.store(t.time_since_epoch().count(), memory_order_relaxed);
  last_poll_.store(t.time_since_epoch().count(), memory_order_relaxed);
  poller_blocked_.store(false);
  {
    raw_lock const lock(mu_);
    if (processor* const p = take_idle()) hold(w, p);
  }
  if (w.held != nullptr) return adopt(w, chain);
  // All processors run: they come to the global queue and to due timers by themselves.
  if (chain.count > 0) overflow_to_global(chain);
  return nullptr;
}

void scheduler::timer_changed(time_point when) noexcept {
  if (poller_blocked_.load()) {
    if (time_point(duration(poll_until_.load())) > when) the_netpoller().interrupt();
    return;
  }
  wake_unless_caller_looks();
}

// The worker of a processor looks at its timers and at the descriptors before it sleeps. A caller
// that has none has nobody who does, and one that is stuck comes to it late.
void scheduler::wake_unless_caller_looks() noexcept {
  worker* const w = current_worker();
  if (w == nullptr || w->held == nullptr || w->held->stuck.load(memory_order_relaxed)) wake_one();
}

timer_heap& scheduler::timers_for_caller() noexcept {
  start();
  worker* const w = current_worker();
  if (w != nullptr && w->current != nullptr && w->current->bubble != nullptr) [[unlikely]] {
    return w->current->bubble->timers();
  }
  if (w != nullptr && w->held != nullptr) return w->held->timers;
  return processors_[0].load(memory_order_acquire)->timers;  // pairs with processor.cc:take_free
}

}  // namespace vole::internal
