// SPDX-License-Identifier: Apache-2.0
// ORDERING  guarded: relaxed; who finds it set may fork before the handlers stand, as may any
//           thread that forks while another counts for the first time.

#include "runtime/fork_locks.h"

#include <pthread.h>

#include "vole/internal/atomic.h"

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

}  // namespace

bool this_thread_forks() noexcept {
  return forking;
}

void guard_forks() noexcept {
  if (guarded.load(memory_order_relaxed) || guarded.exchange(true, memory_order_relaxed)) return;
  ::pthread_atfork(&before_fork, &after_fork, &after_fork);
}

}  // namespace vole::internal
