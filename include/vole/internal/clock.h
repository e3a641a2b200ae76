// SPDX-License-Identifier: Apache-2.0
#pragma once
// The clock of every deadline: monotonic, nanoseconds. A deadline is a time_point, a timeout a
// duration.

#include <chrono>

namespace vole {

using time_point = std::chrono::steady_clock::time_point;
using duration = std::chrono::nanoseconds;

// never is the deadline of a wait without one.
inline constexpr time_point never = time_point::max();

namespace internal {

// now reads the monotonic clock. Cost: one vDSO call, about 20 ns.
inline time_point now() noexcept {
  return std::chrono::steady_clock::now();
}

// deadline_after returns now + timeout, or never where that would overflow.
inline time_point deadline_after(duration timeout) noexcept {
  time_point const t = now();
  return timeout >= never - t ? never : t + timeout;
}

}  // namespace internal
}  // namespace vole
