// SPDX-License-Identifier: Apache-2.0
// Compiled without the announcements of plain accesses: between two steps nobody else runs.

#include "latch.h"

namespace vole::model {

latch::latch(int times) : left_(*new internal::atomic<int>(times)) {}

void latch::arrive() noexcept {
  // pairs with latch.cc:latch::wait, and itself
  if (left_.fetch_sub(1, internal::memory_order_acq_rel) != 1) return;
  for (int i = 0; i < waiting_; ++i) resume(waiters_[i]);
}

void latch::wait() noexcept {
  // Not a load, which might read an old value. pairs with latch.cc:latch::arrive
  if (left_.fetch_add(0, internal::memory_order_acq_rel) == 0) return;
  if (waiting_ == waiters_max) fail("too many wait at a latch");
  waiters_[waiting_++] = current_thread();
  suspend();
}

}  // namespace vole::model
