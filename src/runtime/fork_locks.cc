// SPDX-License-Identifier: Apache-2.0
// ORDERING  guarded: relaxed; who finds it set may fork before the handlers stand, as may any
//           thread that forks while another counts for the first time.

#include "runtime/fork_locks.h"

#include <pthread.h>

#include "vole/assert.h"
#include "vole/internal/atomic.h"

#include "runtime/netpoll.h"
#include "runtime/scheduler.h"
#include "runtime/signal.h"

namespace vole::internal {
namespace {

constinit atomic<bool> guarded{false};

// Initial-exec: the first touch of another model may call malloc.
[[gnu::tls_model("initial-exec")]] constinit thread_local bool forking = false;

void before_fork() noexcept {
  labels::before_fork();
  contention::before_fork();
  heap::before_fork();
  forking = true;
}

void after_fork() noexcept {
  forking = false;
  heap::after_fork();
  contention::after_fork();
  labels::after_fork();
}

void after_fork_in_child() noexcept {
  after_fork();
  the_scheduler().forked();
}

}  // namespace

void scheduler::refuse_in_child() noexcept {
  panic(
      "this process was forked from one that runs goroutines, whose threads are not here: nothing "
      "could run a goroutine or end a wait. Between fork and exec or _exit do only what need not "
      "wait; a child that is to go on without exec is forked before the first goroutine");
}

void scheduler::forked() noexcept {
  // It may start a runtime of its own, unless another thread was about to.
  if (!started() && start_mu_.try_lock()) {
    start_mu_.unlock();
    return;
  }
  forked_ = true;
  started_.store(false, memory_order_relaxed);  // so start() refuses, and costs nothing before
  check_switches([](goroutine&) noexcept { refuse_in_child(); });
  the_netpoller().leave_to_parent();
  leave_quit_to_parent();
  set_panic_hook(nullptr);  // the dump is of the parent's goroutines, and takes locks
}

bool this_thread_forks() noexcept {
  return forking;
}

void guard_forks() noexcept {
  if (guarded.load(memory_order_relaxed) || guarded.exchange(true, memory_order_relaxed)) return;
  ::pthread_atfork(&before_fork, &after_fork, &after_fork_in_child);
}

}  // namespace vole::internal
