// SPDX-License-Identifier: Apache-2.0
// How long a goroutine that runs every 200 us is kept waiting when 8 others stop their threads at
// once without saying so: the worst gap of each round.

#include "vole/bench.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <unistd.h>

#include "vole/internal/atomic.h"
#include "vole/sync.h"
#include "vole/time.h"

using namespace vole;

namespace {

constexpr int blockers = 8;
constexpr useconds_t block_us = 50'000;
constexpr auto beat = std::chrono::microseconds(200);

VOLE_BENCH(stall_blocked) {
  double worst_ns_total = 0;
  std::int64_t ended = 0;
  while (b.loop()) {
    internal::atomic<bool> stop{false};
    sync::wait_group blocked;
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
    for (int i = 0; i < blockers; ++i) {
      blocked.go([] {
        ::usleep(block_us);  // tidy: sleep, stopping the thread is what is measured
      });
    }
    blocked.wait();
    stop.store(true, internal::memory_order_relaxed);
    ticker.wait();
    ended += blockers;
    worst_ns_total += static_cast<double>(worst.count());
  }
  b.report_metric(worst_ns_total / static_cast<double>(b.n), "gap-ns/op");
  b.report_metric(static_cast<double>(ended) / static_cast<double>(b.n), "check/op");
}

}  // namespace
