// SPDX-License-Identifier: Apache-2.0
// Broadcast a condition for which 10,000 goroutines wait, until all have ended.

#include "vole/bench.h"

#include <cstdint>

#include "vole/sync.h"

using namespace vole;

namespace {

constexpr int waiters = 10'000;

VOLE_BENCH(broadcast_10k_waiters) {
  std::int64_t released = 0;
  while (b.loop()) {
    b.stop_timer();
    sync::mutex mu;
    sync::cond changed(mu);
    bool open = false;
    sync::wait_group started;
    sync::wait_group ended;
    started.add(waiters);
    for (int i = 0; i < waiters; ++i) {
      ended.go([&] {
        sync::lock_guard const hold(mu);
        started.done();
        changed.wait([&] { return open; });
      });
    }
    started.wait();
    mu.lock();
    open = true;
    mu.unlock();
    b.start_timer();
    changed.broadcast();
    ended.wait();
    released += waiters;
  }
  b.report_metric(static_cast<double>(released) / static_cast<double>(b.n), "check/op");
}

}  // namespace
