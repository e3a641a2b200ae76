// SPDX-License-Identifier: Apache-2.0
#include "vole/internal/raw_mutex.h"

#include "base/futex.h"

namespace vole::internal {

void raw_mutex::lock_slow() noexcept {
  // The sections it guards are tens of nanoseconds: most waits end within the spin.
  for (int spin = 0; spin < 64; ++spin) {
    spin_pause();
    int expected = free;
    if (word_.load(memory_order_relaxed) == free &&
        // pairs with raw_mutex.h:unlock
        word_.compare_exchange_weak(expected, held, memory_order_acquire)) {
      return;
    }
  }
  // pairs with raw_mutex.h:unlock
  while (word_.exchange(contended, memory_order_acquire) != free) futex_wait(word_, contended);
}

void raw_mutex::unlock_slow() noexcept {
  futex_wake(word_, 1);
}

}  // namespace vole::internal
