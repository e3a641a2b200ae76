// SPDX-License-Identifier: Apache-2.0
// INVARIANTS
//   A processor stands still while its tick does. It is stuck when it stands still and its thread
//   sleeps in the kernel at the second look, or when it has computed for 10 ms; 3 ms are enough
//   when goroutines wait and no processor is idle, 1 ms in a storm. One whose thread the kernel
//   keeps waiting is not stuck.
//   There is a spare processor for each stuck one: max_procs others can always run. A spare goes
//   back to the free list when its worker next looks for work, or at once when it is idle.
//   What waits on a processor that stays stuck goes to the global queue: the others may have enough
//   of their own for ever, and would not come to steal it. What its goroutine makes ready or arms
//   there wakes a worker at once.
//   A storm: what a spare takes up may block as well. While goroutines wait and processors get
//   stuck, there are besides up to twice as many spares as got stuck at one look: n goroutines that
//   block are passed in log(n) looks of 0.25 ms.
//   A worker that computes for long gets long slices from the kernel until its tick moves: what
//   waits for a processor of the machine goes first.
//   The monitor sleeps when every processor is idle: a processor that leaves the idle list wakes
//   it. It wakes by itself only while memory is left to return (once a second), a processor is
//   stuck (every 8 ms), or somebody keeps memory that it could give back (every 10 s). It does
//   not sleep while a worker is lacking that could not be made, or a background goroutine could run
//   and does not.
//   Of the background, what waits counts for no spare. A turn whose thread sleeps leaves its place
//   to another until it computes again.
// REJECTED  taking the stuck worker's own processor away, as Go does at a system call: see
//           scheduler.cc. The spare steals from it instead.
//           Looking every 100 ms while all is idle, before going to sleep: whoever blocked first
//           after an idle moment stood for 98 ms.
//           One spare for each stuck processor and look: 8 blocking calls at once took 8 looks.

#include "runtime/monitor.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>

#include "base/futex.h"
#include "runtime/contention.h"
#include "runtime/dump.h"
#include "runtime/env.h"
#include "runtime/heap_sample.h"
#include "runtime/netpoll.h"
#include "runtime/pressure.h"
#include "runtime/sample.h"
#include "runtime/scheduler.h"
#include "runtime/signal.h"
#include "runtime/stall.h"

namespace vole::internal {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr duration look_busy = milliseconds(2);      // while goroutines run
constexpr duration look_standing = milliseconds(1);  // while some tick stands still
constexpr duration look_storm = microseconds(250);
constexpr duration look_settled = milliseconds(8);  // while nothing runs but what is stuck
constexpr duration storm_lasts = milliseconds(5);   // after a processor got stuck
constexpr duration stuck_computing = milliseconds(10);
constexpr duration stuck_computing_wanted = milliseconds(3);
constexpr duration stuck_computing_storm = milliseconds(1);
constexpr duration stuck_sleeping = microseconds(200);
constexpr duration stuck_seeded = std::chrono::seconds(1);  // a spare would run out of turn
constexpr duration poll_overdue = milliseconds(2);
constexpr duration scavenge_every = std::chrono::seconds(1);
constexpr duration look_asleep = std::chrono::seconds(10);  // at the memory pressure, if watched
constexpr duration slice_of_hogs = milliseconds(100);       // the most that the kernel grants
constexpr std::size_t scavenge_per_look = 512;              // about 0.5 ms

enum : int { awake = 0, asleep = 1, dump_wanted = 2 };
constinit atomic<int> word{awake};
constinit duration trace_every{};  // VOLE_DEBUG=schedtrace; zero: never

// Whether the thread sleeps in the kernel: field 3 of its stat, after the name in parentheses.
bool sleeps_in_kernel(int tid) noexcept {
  char path[64];
  std::snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
  int const fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd == -1) return false;
  char text[256];
  ssize_t const n = ::read(fd, text, sizeof text - 1);
  ::close(fd);
  if (n <= 0) return false;
  text[n] = '\0';
  char const* const after_name = std::strrchr(text, ')');
  return after_name != nullptr && (after_name[2] == 'S' || after_name[2] == 'D');
}

// The processor time that the thread has had.
duration computed_by(int tid) noexcept {
  timespec t{};
  if (::clock_gettime(sample::cpu_clock_of(tid), &t) != 0) return duration::zero();
  return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
}

// As the kernel defines it; the C library here does not.
struct sched_attr {
  std::uint32_t size;
  std::uint32_t policy;
  std::uint64_t flags;
  std::int32_t nice;
  std::uint32_t priority;
  std::uint64_t runtime;
  std::uint64_t deadline;
  std::uint64_t period;
};

// set_slice asks the kernel to run the thread for so long at a time; zero: its default. A longer
// slice has a later deadline, so that threads that wake up go first. Needs no privilege; kernels
// before 6.12 change nothing.
void set_slice(int tid, duration slice) noexcept {
  sched_attr attr{};
  if (::syscall(SYS_sched_getattr, tid, &attr, sizeof attr, 0) != 0) return;
  attr.runtime = static_cast<std::uint64_t>(slice.count());
  ::syscall(SYS_sched_setattr, tid, &attr, 0);
}

[[noreturn]] void dump_and_exit() noexcept {
  write_all(STDERR_FILENO, "SIGQUIT: quit\n\n" + runtime::dump_goroutines());
  std::_Exit(2);
}

}  // namespace

void monitor::start() noexcept {
  debug_settings const debug = debug_from_environment();
  if (debug.stall > duration::zero()) stall_report_after.store(debug.stall.count());
  trace_every = debug.schedtrace;
  if (debug.heaprate) heap::set_rate(*debug.heaprate);
  if (debug.contentionrate) contention::set_samples_per_second(*debug.contentionrate);
  if (start_thread(&monitor::main, nullptr) != 0)
    panic("start runtime: no thread to be had for the monitor");
}

void monitor::wake_if_asleep() noexcept {
  int expected = asleep;
  if (word.load() == asleep && word.compare_exchange_strong(expected, awake)) {
    futex_wake(word, 1);
  }
}

void monitor::request_dump() noexcept {
  word.store(dump_wanted);
  futex_wake(word, 1);
}

void* monitor::main(void*) noexcept {
  ::prctl(PR_SET_NAME, "vole-monitor");
  ::prctl(PR_SET_TIMERSLACK, 1000UL);  // the default of 50 us is much of a look in a storm
  sample::thread_started();
  monitor(the_scheduler()).run();
}

void monitor::run() noexcept {
  started_ = internal::monotonic_now();
  scavenge_at_ = started_ + scavenge_every;
  if (trace_every > duration::zero()) trace_at_ = started_ + trace_every;
  while (true) {
    if (word.load() == dump_wanted) dump_and_exit();
    t_ = internal::monotonic_now();
    s_.coarse_now_.store(t_.time_since_epoch().count(), memory_order_relaxed);
    found const f = look();
    scavenge();
    trace();
    if (settled(f)) {
      wait_while_settled(f);
    } else {
      futex_wait(word, awake, t_ + next_look(f));
    }
  }
}

// at_rest: nothing runs but what is stuck, and that has its spares; nothing waits.
bool monitor::at_rest(found const& f) const noexcept {
  // seq_cst: pairs with processor.cc:take_idle, which sets this and reads the word
  return !scavenging_ && f.waiting == 0 && t_ >= storm_until_ && !s_.background_may_run() &&
         s_.idle_count_.load() + f.stuck == s_.processor_count_.load();
}

bool monitor::settled(found const& f) const noexcept {
  return !s_.lacks_thread_.load() && at_rest(f);
}

duration monitor::next_look(found const& f) const noexcept {
  if (t_ < storm_until_) return look_storm;
  if (at_rest(f)) return look_settled;  // only a worker is lacking
  return f.standing ? look_standing : look_busy;
}

void monitor::wait_while_settled(found const& f) noexcept {
  int expected = awake;
  if (!word.compare_exchange_strong(expected, asleep)) return;
  time_point until = never;
  if (s_.stacks_.scavenge_due()) until = scavenge_at_;
  until = std::min(until, trace_at_);
  if (f.stuck > 0) until = std::min(until, t_ + look_settled);
  if (pressure_watched()) until = std::min(until, t_ + look_asleep);
  // A processor that left the idle list before it could see us asleep is seen here.
  if (settled(f)) {
    while (word.load() == asleep && futex_wait(word, asleep, until)) {
    }
  }
  expected = asleep;
  word.compare_exchange_strong(expected, awake);
}

void monitor::scavenge() noexcept {
  if (t_ >= scavenge_at_) {
    scavenge_at_ = t_ + scavenge_every;
    s_.stacks_.plan_scavenge();
    scavenging_ = true;
    look_at_pressure(t_);
  }
  if (scavenging_) scavenging_ = s_.stacks_.scavenge(scavenge_per_look);
}

void monitor::trace() noexcept {
  if (t_ < trace_at_) return;
  trace_at_ = t_ + trace_every;
  write_all(STDERR_FILENO, s_.trace_line(t_ - started_));
}

monitor::found monitor::look() noexcept {
  found f;
  look_at_ticks(f);
  poll_if_overdue();
  wake_for_overdue_timer();
  f.waiting += s_.global_size_.load(memory_order_relaxed);
  judge(f);
  if (f.fresh > 0 && f.waiting > 0) {
    storm_until_ = t_ + storm_lasts;
    // Twice as many as got stuck, since all of them may again; never more than there is work for.
    auto const more = static_cast<unsigned>(std::min<std::size_t>(2 * f.fresh, f.waiting));
    boost_ = std::max(boost_, more);
  } else if (t_ >= storm_until_) {
    boost_ = 0;
  }
  match_spares(f.stuck + boost_);
  // What yields wakes nobody: a processor may have more than it needs while another is idle.
  if (f.waiting > 0 || f.queued || s_.background_may_run() ||
      s_.lacks_thread_.load(memory_order_relaxed)) {
    s_.wake_one();
  }
  return f;
}

// look_at_ticks finds who stands still, runs the timers that nobody else looks at, and counts what
// waits.
void monitor::look_at_ticks(found& f) noexcept {
  for (auto const& slot : s_.processors_) {
    processor* const p = slot.load(memory_order_acquire);  // pairs with processor.cc:take_free
    if (p == nullptr) break;
    std::uint64_t const tick = p->tick.load(memory_order_relaxed);
    worker* const w = p->holder.load(
        memory_order_acquire);  // pairs with processor.cc:hold, worker.cc:start_worker
    bool const running = p->state.load(memory_order_relaxed) == processor_state::running &&
                         w != nullptr && w->on_cpu.load(memory_order_relaxed) != nullptr;
    if (!running || tick != p->seen_tick) {
      if (worker* const hog = std::exchange(p->hog, nullptr)) {
        set_slice(hog->tid.load(memory_order_relaxed), duration::zero());
      }
      p->seen_tick = tick;
      p->seen_at = t_;
      p->standing_at = {};
      p->stuck.store(false, memory_order_relaxed);
      f.queued = f.queued || p->queue.size() > 0;
      continue;
    }
    if (p->timers.next_when() <= t_) run_timers(*p);
    f.waiting += p->queue.size() + (p->queue.has_next() ? 1 : 0);
  }
}

// as_external_waker runs fn, which makes something runnable: until it has, nobody but the monitor
// may know of it, and all others asleep are no deadlock.
template <class Fn>
void monitor::as_external_waker(Fn&& fn) noexcept {
  s_.external_waker(1);
  fn();
  s_.external_waker(-1);
  s_.check_deadlock();
}

// run_timers fires what is due. Its processor may become idle meanwhile.
void monitor::run_timers(processor& p) noexcept {
  as_external_waker([&] { p.timers.run(t_); });
}

// judge decides which of those that stand still are stuck.
void monitor::judge(found& f) noexcept {
  bool const wanted = f.waiting > 0 && s_.idle_count_.load(memory_order_relaxed) == 0;
  duration const computing_max = !wanted             ? stuck_computing
                                 : t_ < storm_until_ ? stuck_computing_storm
                                                     : stuck_computing_wanted;
  duration const report_after(stall_report_after.load(memory_order_relaxed));
  for (auto const& slot : s_.processors_) {
    processor* const p = slot.load(memory_order_acquire);  // pairs with processor.cc:take_free
    if (p == nullptr) break;
    duration const still = t_ - p->seen_at;
    if (still == duration::zero()) continue;
    if (report_after > duration::zero() && still >= report_after) report(*p, still);
    if (p->stuck.load(memory_order_relaxed)) {
      ++f.stuck;
      judge_turn(*p);
      if (!p->queue.empty()) as_external_waker([&] { s_.take_from_stuck(*p); });
      continue;
    }
    worker* const w = p->holder.load(memory_order_acquire);  // pairs with processor.cc:hold
    if (w == nullptr) continue;
    if (s_.seeded() && still < stuck_seeded) {
      f.standing = true;
      continue;
    }
    int const tid = w->tid.load(memory_order_relaxed);
    // At the end of the process who is stuck is not waited for: no short sleep may look like it.
    duration const asleep_min = s_.held() ? stuck_computing : stuck_sleeping;
    bool const asleep = still >= asleep_min && sleeps_in_kernel(tid);
    bool const computing = computes(*p, tid);
    if (asleep || (computing && still >= computing_max)) {
      if (!asleep) {
        p->hog = w;
        set_slice(tid, slice_of_hogs);
      }
      mark_stuck(*p);
      judge_turn(*p);
      s_.stalls_.fetch_add(1, memory_order_relaxed);
      ++f.stuck;
      ++f.fresh;
    } else {
      f.standing = true;
    }
  }
}

// judge_turn: a background turn of a stuck processor counts only while it computes. What begins and
// sleeps between two looks counts as well.
void monitor::judge_turn(processor& p) noexcept {
  background_turn const turn = p.turn.load(memory_order_relaxed);
  worker* const w = p.holder.load(memory_order_acquire);  // pairs with processor.cc:hold
  if (turn == background_turn::none || w == nullptr) return;
  bool const asleep = sleeps_in_kernel(w->tid.load(memory_order_relaxed));
  if (p.tick.load(memory_order_relaxed) != p.seen_tick) return;
  if (asleep && turn == background_turn::counted) s_.excuse_turn(p);
  if (!asleep && turn == background_turn::excused) s_.count_turn(p);
}

// computes: its thread gets on, if slowly. What a thread misses that the kernel keeps waiting, a
// spare would miss as well, for as long as it has not used up what none may.
bool monitor::computes(processor& p, int tid) noexcept {
  duration const computed = computed_by(tid);
  if (p.standing_at == time_point{}) {
    p.standing_at = t_;
    p.standing_computed = computed;
    return false;
  }
  duration const used = computed - p.standing_computed;
  return used >= (t_ - p.standing_at) / 8 || used >= stuck_computing;
}

void monitor::report(processor& p, duration still) noexcept {
  worker* const w = p.holder.load(memory_order_acquire);  // pairs with processor.cc:hold
  if (w == nullptr || p.reported_tick == p.seen_tick) return;
  if (report_stall(*w, p, still, sleeps_in_kernel(w->tid.load(memory_order_relaxed)))) {
    p.reported_tick = p.seen_tick;
  }
}

// All may be busy for long with nobody at the descriptors.
void monitor::poll_if_overdue() noexcept {
  if (s_.poller_blocked_.load() || the_netpoller().handles() == 0 ||
      t_ - time_point(duration(s_.last_poll_.load(memory_order_relaxed))) < poll_overdue) {
    return;
  }
  as_external_waker([&] {
    goroutine_chain ready;
    the_netpoller().poll(ready, nullptr);
    s_.last_poll_.store(t_.time_since_epoch().count(), memory_order_relaxed);
    if (ready.count > 0) s_.ready_all(ready);
  });
}

// An idle processor's timers are run by who finds nothing else to do. All may have enough for long.
void monitor::wake_for_overdue_timer() noexcept {
  if (s_.idle_count_.load(memory_order_relaxed) == 0 || s_.poller_blocked_.load()) return;
  if (s_.next_timer() <= t_) s_.wake_one();
}

// match_spares brings the spare processors, those told to go not counted, to the number wanted.
void monitor::match_spares(unsigned wanted) noexcept {
  while (true) {
    processor* leaving = nullptr;
    {
      raw_lock const lock(s_.mu_);
      unsigned const told = s_.surplus_.load(memory_order_relaxed);
      unsigned const spares = s_.spares_.load(memory_order_relaxed) - told;
      if (told > 0) leaving = take_idle_spare();
      if (leaving != nullptr) {  // it went idle before its worker came to hear of it
        s_.surplus_.fetch_sub(1, memory_order_relaxed);
      } else if (spares == wanted) {
        return;
      } else if (spares < wanted) {
        if (!add_spare()) return;
        continue;
      } else {
        leaving = take_idle_spare();
        if (leaving == nullptr) s_.surplus_.fetch_add(1, memory_order_relaxed);
      }
    }
    if (leaving == nullptr) continue;
    s_.release_spare(leaving);
    s_.check_deadlock();  // meanwhile it was neither idle nor gone
  }
}

bool monitor::add_spare() noexcept {
  if (s_.surplus_.load(memory_order_relaxed) > 0) {  // one that was told to go may stay
    s_.surplus_.fetch_sub(1, memory_order_relaxed);
    return true;
  }
  processor* const p = s_.take_free();
  if (p == nullptr) return false;
  p->spare.store(true, memory_order_relaxed);
  s_.spares_.fetch_add(1, memory_order_relaxed);
  s_.handoffs_.fetch_add(1, memory_order_relaxed);
  s_.start_worker(p, false);
  return true;
}

processor* monitor::take_idle_spare() noexcept {
  for (processor** at = &s_.idle_; *at != nullptr; at = &(*at)->next) {
    processor* const p = *at;
    if (!p->spare.load(memory_order_relaxed)) continue;
    *at = p->next;
    s_.idle_count_.store(--s_.idle_count_locked_);
    s_.spares_.fetch_sub(1, memory_order_relaxed);
    return p;
  }
  return nullptr;
}

}  // namespace vole::internal
