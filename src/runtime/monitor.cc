// SPDX-License-Identifier: Apache-2.0
// INVARIANTS
//   A processor counts as stuck while its tick has stood still for 10 ms, or for 1 ms while its
//   thread sleeps in the kernel.
//   There are as many spare processors as stuck ones: max_procs others can always run. A spare goes
//   back to the free list when
//   its worker next looks for work, or at once when it is idle.
//   The monitor sleeps without a timeout when all processors have been idle for half a second and
//   no memory is left to return.
// REJECTED  taking the stuck worker's own processor away, as Go does at a system call: without Go's
//           safe points the worker may
//           touch its ring, timers and stack cache at any instruction. The spare steals from them
//           instead.

#include "runtime/monitor.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <pthread.h>
#include <string>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/futex.h"
#include "runtime/dump.h"
#include "runtime/netpoll.h"
#include "runtime/sample.h"
#include "runtime/scheduler.h"
#include "runtime/signal.h"

namespace vole::internal {
namespace {

using std::chrono::milliseconds;

constexpr duration look_often = milliseconds(1);   // while some tick stands still
constexpr duration look_seldom = milliseconds(4);  // while goroutines run
constexpr duration look_idle = milliseconds(100);
constexpr duration idle_before_sleep = milliseconds(500);
constexpr duration stuck_running = milliseconds(10);
constexpr duration stuck_sleeping = milliseconds(1);
constexpr duration poll_overdue = milliseconds(10);
constexpr duration scavenge_every = std::chrono::seconds(1);

enum : int { awake = 0, asleep = 1, dump_wanted = 2 };
constinit atomic<int> word{awake};

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

[[noreturn]] void dump_and_exit() noexcept {
  write_all(STDERR_FILENO, "SIGQUIT: quit\n\n" + runtime::dump_goroutines());
  std::_Exit(2);
}

}  // namespace

void monitor::start() noexcept {
  pthread_attr_t attr;
  ::pthread_attr_init(&attr);
  ::pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
  sigset_t const outer = block_all_signals();
  pthread_t thread;
  int const failure = ::pthread_create(&thread, &attr, &monitor::main, nullptr);
  restore_signals(outer);
  ::pthread_attr_destroy(&attr);
  if (failure != 0) panic("start runtime: no thread to be had for the monitor");
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
  sample::thread_started();
  scheduler& s = the_scheduler();
  time_point idle_since = never;
  time_point scavenged = internal::now();
  while (true) {
    if (word.load() == dump_wanted) dump_and_exit();
    time_point const t = internal::now();
    s.coarse_now_.store(t.time_since_epoch().count(), memory_order_relaxed);
    bool candidates = false;
    look_at_processors(s, &candidates);
    if (t - scavenged >= scavenge_every) {
      s.stacks_.scavenge();
      scavenged = t;
    }
    bool const idle =
        s.idle_count_.load(memory_order_relaxed) == s.processor_count_.load(memory_order_relaxed);
    if (!idle) {
      idle_since = never;
      futex_wait(word, awake, t + (candidates ? look_often : look_seldom));
      continue;
    }
    if (idle_since == never) idle_since = t;
    if (t - idle_since < idle_before_sleep || s.stacks_.scavenge_due()) {
      futex_wait(word, awake, t + look_idle);
      continue;
    }
    int expected = awake;
    if (!word.compare_exchange_strong(expected, asleep)) continue;
    // A processor that left the idle list before it could see us asleep is seen here.
    if (s.idle_count_.load() != s.processor_count_.load()) {
      expected = asleep;
      word.compare_exchange_strong(expected, awake);
      continue;
    }
    while (word.load() == asleep) futex_wait(word, asleep);
  }
}

void monitor::look_at_processors(scheduler& s, bool* candidates) noexcept {
  time_point const t = s.coarse_now();
  unsigned stuck = 0;
  bool neglected = false;
  for (auto const& slot : s.processors_) {
    processor* const p = slot.load(memory_order_acquire);  // pairs with scheduler.cc:take_free
    if (p == nullptr) break;
    std::uint64_t const tick = p->tick.load(memory_order_relaxed);
    worker* const w = p->holder.load(
        memory_order_acquire);  // pairs with scheduler.cc:hold, worker.cc:start_worker
    bool const running = p->state.load(memory_order_relaxed) == processor_state::running &&
                         w != nullptr && w->on_cpu.load(memory_order_relaxed) != nullptr;
    if (!running || tick != p->seen_tick) {
      p->seen_tick = tick;
      p->seen_at = t;
      p->stuck.store(false, memory_order_relaxed);
      continue;
    }
    *candidates = true;
    duration const still = t - p->seen_at;
    bool const is_stuck =
        p->stuck.load(memory_order_relaxed) || still >= stuck_running ||
        (still >= stuck_sleeping && sleeps_in_kernel(w->tid.load(memory_order_relaxed)));
    if (is_stuck) {
      ++stuck;
      p->stuck.store(true, memory_order_relaxed);
      // Nobody else looks at its timers while all the others are busy.
      if (p->timers.next_when() <= t) p->timers.run(t);
    }
    if (!p->queue.empty()) neglected = true;
  }
  match_spares(s, stuck);
  if (neglected) s.wake_one();
  // All may be busy for long with nobody at the descriptors.
  if (!s.poller_blocked_.load() && the_netpoller().handles() > 0 &&
      t - time_point(duration(s.last_poll_.load(memory_order_relaxed))) >= poll_overdue) {
    goroutine_chain ready;
    the_netpoller().poll(ready, nullptr);
    s.last_poll_.store(t.time_since_epoch().count(), memory_order_relaxed);
    if (ready.count > 0) s.ready_all(ready);
  }
}

// match_spares brings the spare processors, those told to go not counted, to the number of stuck
// ones.
void monitor::match_spares(scheduler& s, unsigned stuck) noexcept {
  while (true) {
    processor* leaving = nullptr;
    {
      raw_lock const lock(s.mu_);
      unsigned const spares =
          s.spares_.load(memory_order_relaxed) - s.surplus_.load(memory_order_relaxed);
      if (spares == stuck) return;
      if (spares < stuck) {
        if (!add_spare(s)) return;
        continue;
      }
      leaving = take_idle_spare(s);
      if (leaving == nullptr) s.surplus_.fetch_add(1, memory_order_relaxed);
    }
    if (leaving != nullptr) s.release_spare(leaving);
  }
}

bool monitor::add_spare(scheduler& s) noexcept {
  if (s.surplus_.load(memory_order_relaxed) > 0) {  // one that was told to go may stay
    s.surplus_.fetch_sub(1, memory_order_relaxed);
    return true;
  }
  processor* const p = s.take_free();
  if (p == nullptr) return false;
  p->spare = true;
  s.spares_.fetch_add(1, memory_order_relaxed);
  s.handoffs_.fetch_add(1, memory_order_relaxed);
  s.start_worker(p, false);
  return true;
}

processor* monitor::take_idle_spare(scheduler& s) noexcept {
  for (processor** at = &s.idle_; *at != nullptr; at = &(*at)->next) {
    processor* const p = *at;
    if (!p->spare) continue;
    *at = p->next;
    s.idle_count_.store(--s.idle_count_locked_);
    s.spares_.fetch_sub(1, memory_order_relaxed);
    return p;
  }
  return nullptr;
}

}  // namespace vole::internal
