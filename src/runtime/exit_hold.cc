// SPDX-License-Identifier: Apache-2.0
// What becomes of goroutines that nobody waits for when the process ends. exit() destroys the
// static objects one after the other, on the thread that called it; no goroutine is to use them
// meanwhile. So exit() begins by holding all goroutines back: a worker takes none, and one that
// comes out of blocking() waits to be taken.
//
// INVARIANTS
//   Held, a goroutine runs on only until it parks, yields, leaves blocking() or ends. hold_back
//   waits for that, unless the monitor finds that its processor is stuck: one that computes, or
//   stops its thread undeclared, may never come. A thread that gets no core is waited for.
//   The hold ends before its time, and for good, when the thread or goroutine that exits waits in a
//   primitive of vole: a goroutine may have to end that. A second after all stand still it ends in
//   any case: there are waits that nobody sees here (a std::future, a thread to be joined). So no
//   exit hangs for it.
// ORDERING  hold_back sets the mode, then counts under mu_ who stands still. A worker that counts
//           as asleep leaves that count under mu_, or stores poller_blocked_, before it looks at
//           the mode.
// REJECTED  holding from the return of run(): its caller may live on beside goroutines, and run
//           again.
//           _exit() when main returns, which is what Go does: no handler of the program's runs, no
//           destructor; nothing is flushed, nor written by what counts coverage or looks for leaks.
//           A hold without an end: a destructor that waited by a std::future hung.

#include "runtime/exit_hold.h"

#include <cxxabi.h>
#include <limits>
#include <unistd.h>

#include "base/futex.h"
#include "runtime/scheduler.h"

namespace vole::internal {
namespace {

constexpr duration look_again = std::chrono::microseconds(100);
constexpr duration hold_max = std::chrono::seconds(1);
constexpr int everybody = std::numeric_limits<int>::max();

constinit raw_mutex registering;
constinit char registration = 0;  // what exit() knows ours by
constinit atomic<bool> taken_back{false};
constinit atomic<pid_t> registrant{0};  // a forked child has no workers

void at_exit(void*) {
  if (!taken_back.load() && ::getpid() == registrant.load()) the_scheduler().hold_back();
}

}  // namespace

void hold_at_exit() noexcept {
  raw_lock const lock(registering);
  registrant.store(::getpid());
  // Instead of one registration for each run(). Whoever takes one back calls it.
  taken_back.store(true);
  abi::__cxa_finalize(&registration);
  taken_back.store(false);
  abi::__cxa_atexit(&at_exit, nullptr, &registration);
}

void scheduler::hold_back() noexcept {
  if (exiting_thread_.exchange(::gettid()) != 0) return;  // once
  exiting_.store(current_goroutine());
  time_point t = internal::monotonic_now();
  hold_until_.store(never.time_since_epoch().count());
  hold_word_.store(1);
  modes_.fetch_or(mode_held);  // seq_cst: pairs with scheduler.h:held
  for (auto const& slot : processors_) {
    // pairs with processor.cc:take_free
    processor* const p = slot.load(memory_order_acquire);
    if (p == nullptr) break;
    p->stuck.store(false, memory_order_relaxed);  // the monitor looks at it anew
  }
  for (time_point const give_up = t + hold_max; !all_stand_still() && t < give_up;) {
    futex_wait(hold_word_, 1, t + look_again);
    t = internal::monotonic_now();
  }
  hold_until_.store((t + hold_max).time_since_epoch().count());
  hold_word_.store(2);
  futex_wake(hold_word_, everybody);
}

// all_stand_still: no worker runs a goroutine, but for the caller, what is inside blocking(), and
// what is stuck.
bool scheduler::all_stand_still() noexcept {
  struct look {
    goroutine const* caller;
    std::uint32_t still;
  };
  look at{current_goroutine(), 0};
  raw_lock const lock(mu_);
  for_each_worker(
      [](void* arg, worker& w) {
        auto& at = *static_cast<look*>(arg);
        goroutine const* const g = w.on_cpu.load();
        if (g == nullptr) return;
        // pairs with processor.cc:enter_blocking
        bool const blocks = g->state.load(memory_order_acquire) == goroutine_state::blocking;
        if (blocks || g == at.caller) ++at.still;
      },
      &at);
  for (auto const& slot : processors_) {
    // pairs with processor.cc:take_free
    processor const* const p = slot.load(memory_order_acquire);
    if (p == nullptr) break;
    // pairs with processor.cc:hold
    worker const* const w = p->stuck.load() ? p->holder.load(memory_order_acquire) : nullptr;
    goroutine const* const g = w == nullptr ? nullptr : w->on_cpu.load();
    if (g != nullptr && g != at.caller) ++at.still;
  }
  at.still +=
      idle_worker_count_ + wired_waiting_ + held_workers_ + (poller_blocked_.load() ? 1 : 0);
  return at.still >= worker_count_.load(memory_order_relaxed);
}

void scheduler::wait_while_held() noexcept {
  {
    raw_lock const lock(mu_);
    ++held_workers_;
  }
  while (held()) {
    int const word = hold_word_.load();
    time_point const until(duration(hold_until_.load()));
    if (!futex_wait(hold_word_, word, until)) let_on();
  }
  raw_lock const lock(mu_);
  --held_workers_;
}

void scheduler::let_on() noexcept {
  modes_.fetch_and(static_cast<std::uint8_t>(~mode_held));
  hold_word_.store(0);
  futex_wake(hold_word_, everybody);
}

void scheduler::let_on_if_exiting() noexcept {
  if (::gettid() == exiting_thread_.load()) let_on();
}

}  // namespace vole::internal
