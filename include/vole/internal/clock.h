// SPDX-License-Identifier: Apache-2.0
#pragma once
// The clock of every deadline: monotonic, nanoseconds. A deadline is a time_point, a timeout a
// duration.

#include <chrono>

#include "vole/internal/atomic.h"

namespace vole {

using time_point = std::chrono::steady_clock::time_point;
using duration = std::chrono::nanoseconds;

// never is the deadline of a wait without one.
inline constexpr time_point never = time_point::max();

namespace internal {

// monotonic_now reads the machine's clock: for what is measured. Cost: one vDSO call, about 20 ns.
inline time_point monotonic_now() noexcept {
  return std::chrono::steady_clock::now();
}

// While a bubble runs (vole/synctest.h): the time of the caller's.
inline constinit atomic<time_point (*)() noexcept> bubble_clock{nullptr};

// now is the time by which the calling goroutine's deadlines and timers go.
inline time_point now() noexcept {
  // pairs with bubble.cc:bubble
  if (auto* const clock = bubble_clock.load(memory_order_acquire)) [[unlikely]]
    return clock();
  return monotonic_now();
}

// left_until is deadline - t, or the least duration where that would overflow: there are deadlines
// at the beginning of time. t is a time that a clock has shown.
inline constexpr duration left_until(time_point deadline, time_point t) noexcept {
  return deadline < t + duration::min() ? duration::min() : deadline - t;
}

// deadline_after returns now + timeout, or never where that would overflow.
inline time_point deadline_after(duration timeout) noexcept {
  time_point const t = now();
  return timeout >= never - t ? never : t + timeout;
}

}  // namespace internal
}  // namespace vole
