// SPDX-License-Identifier: Apache-2.0
// A million timers are armed, each to run a function; one after the other is set anew to its own
// timeout, as a server moves a connection's deadline at each request.

#include "vole/bench.h"

#include <chrono>
#include <cstdint>
#include <vector>

#include "vole/time.h"

using namespace vole;

namespace {

constexpr std::size_t pending = 1'000'000;

// A cheap spread over an hour, the same in both languages.
duration some_time(std::uint64_t i) {
  return std::chrono::hours(1) +
         std::chrono::microseconds(static_cast<std::int64_t>((i * 2654435761) % 3'600'000'000));
}

VOLE_BENCH(timer_1m_pending) {
  std::vector<time::func_timer> timers;
  timers.reserve(pending);
  for (std::size_t i = 0; i < pending; ++i) {
    timers.push_back(time::after_func(some_time(i), [] {}));
  }
  std::uint64_t turn = 0;
  std::int64_t was_armed = 0;
  while (b.loop()) {
    if (timers[turn % pending].reset(some_time(turn % pending))) ++was_armed;
    ++turn;
  }
  b.report_metric(static_cast<double>(was_armed) / static_cast<double>(b.n), "check/op");
  for (auto const& t : timers) t.stop();
}

}  // namespace
