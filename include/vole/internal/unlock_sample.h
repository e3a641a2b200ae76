// SPDX-License-Identifier: Apache-2.0
#pragma once
// What an unlock ended: the waits that are charged to it in the mutex profile. No shared state
// here; the counting is in the runtime.

#include <cstdint>

#include "vole/internal/clock.h"

namespace vole::internal {

// unlock_sample collects the waiters whom one unlock lets go. Read `since` of each before its
// ticket is finished, charge() after, holding no lock.
class unlock_sample {
 public:
  void add(time_point since) noexcept {
    since_ns_ += since.time_since_epoch().count();
    ++waiters_;
  }
  // charge counts them to the caller of the function that calls it. Cost: 4 ns if not chosen.
  [[gnu::always_inline]] void charge() const noexcept {
    if (waiters_ > 0) charge_to(__builtin_return_address(0));
  }

 private:
  void charge_to(void const* from) const noexcept;

  std::int64_t since_ns_ = 0;  // sum
  std::int64_t waiters_ = 0;
};

}  // namespace vole::internal
