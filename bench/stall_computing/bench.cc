// SPDX-License-Identifier: Apache-2.0
// How long a goroutine that runs every 200 us is kept waiting when another one, or eight others,
// compute for 50 ms without parking: the worst gap of each round.

#include "vole/bench.h"

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "vole/internal/atomic.h"
#include "vole/sync.h"
#include "vole/time.h"

using namespace vole;

namespace {

constexpr auto compute = std::chrono::milliseconds(50);
constexpr auto beat = std::chrono::microseconds(200);

void stall(bench::benchmark& b, int computers) {
  double worst_ns_total = 0;
  std::int64_t ended = 0;
  while (b.loop()) {
    internal::atomic<bool> stop{false};
    sync::wait_group computing;
    sync::wait_group ticker;
    std::chrono::nanoseconds worst{};
    ticker.go([&] {
      auto last = std::chrono::steady_clock::now();
      while (!stop.load(internal::memory_order_relaxed)) {
        time::sleep(beat);
        auto const now = std::chrono::steady_clock::now();
        worst = std::max<std::chrono::nanoseconds>(worst, now - last - beat);
        last = now;
      }
    });
    time::sleep(2 * beat);
    for (int i = 0; i < computers; ++i) {
      computing.go([] {
        auto const end = std::chrono::steady_clock::now() + compute;
        while (std::chrono::steady_clock::now() < end) {
        }
      });
    }
    computing.wait();
    stop.store(true, internal::memory_order_relaxed);
    ticker.wait();
    ended += computers;
    worst_ns_total += static_cast<double>(worst.count());
  }
  b.report_metric(worst_ns_total / static_cast<double>(b.n), "gap-ns/op");
  b.report_metric(static_cast<double>(ended) / static_cast<double>(b.n), "check/op");
}

VOLE_BENCH(stall_computing) {
  b.run("1", [](bench::benchmark& b) { stall(b, 1); });
  b.run("8", [](bench::benchmark& b) { stall(b, 8); });
}

}  // namespace
