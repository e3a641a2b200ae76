// SPDX-License-Identifier: Apache-2.0
#pragma once
// latch holds its waiters, threads of the explorer, until it was arrived at as often as it says. A
// goroutine that waits holds its worker's thread. What each did before it arrived is seen by who
// has waited.
// INVARIANTS  its word is left behind at the end: whoever waited may be at it for longer.

#include "explorer.h"

namespace vole::model {

class latch {
 public:
  explicit latch(int times);
  latch(latch const&) = delete;
  latch& operator=(latch const&) = delete;

  void arrive() noexcept;
  void wait() noexcept;

 private:
  static constexpr int waiters_max = 4;

  internal::atomic<int>& left_;
  int waiters_[waiters_max] = {};
  int waiting_ = 0;
};

}  // namespace vole::model
