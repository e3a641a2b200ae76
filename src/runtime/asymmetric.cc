// SPDX-License-Identifier: Apache-2.0
// membarrier(2): registered once per process. scheduler::start sees to that before it starts the
// first thread: in a process with threads the kernel waits for every processor to have switched.
// Ordering: runtime/asymmetric.h.

#include "runtime/asymmetric.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace vole::internal {
namespace {

long membarrier(int command) {
  return ::syscall(SYS_membarrier, command, 0, 0);
}

bool register_membarrier() noexcept {
  if (VOLE_TSAN != 0) return false;
  long const supported = membarrier(MEMBARRIER_CMD_QUERY);
  return supported > 0 && (supported & MEMBARRIER_CMD_PRIVATE_EXPEDITED) != 0 &&
         membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0;
}

}  // namespace

bool membarrier_registered() noexcept {
  static bool const registered = register_membarrier();
  return registered;
}

void slow_barrier() noexcept {
  if (membarrier_registered()) {
    membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
    return;
  }
#if !VOLE_TSAN
  // pairs with asymmetric.h:fast_store
  // tidy: std::atomic, a fence has no name behind the door yet
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

}  // namespace vole::internal
