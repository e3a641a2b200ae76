// SPDX-License-Identifier: Apache-2.0
// The slow path of chan_lock. Invariants and ordering: vole/internal/chan_lock.h.

#include "vole/internal/chan_lock.h"

#include "base/futex.h"

namespace vole::internal {
namespace {

constexpr int spins = 64;
constexpr duration sleep_max = std::chrono::microseconds(200);

}  // namespace

void chan_lock::lock_slow() noexcept {
  for (int spin = 0; spin < spins; ++spin) {
    spin_pause();
    // pairs with chan_lock.h:unlock
    if (word_.load(memory_order_relaxed) == 0 && word_.exchange(1, memory_order_acquire) == 0) {
      return;
    }
  }
  // The holder has most likely lost its CPU.
  sleepers_.fetch_add(1, memory_order_relaxed);
  // pairs with chan_lock.h:unlock
  while (word_.exchange(1, memory_order_acquire) != 0)
    futex_wait(word_, 1, monotonic_now() + sleep_max);
  sleepers_.fetch_sub(1, memory_order_relaxed);
}

void chan_lock::wake_one() noexcept {
  futex_wake(word_, 1);
}

}  // namespace vole::internal
