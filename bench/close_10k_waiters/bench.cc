// SPDX-License-Identifier: Apache-2.0
// Close a channel on which 10,000 goroutines wait, until all have ended.

#include "vole/bench.h"

#include <cstdint>

#include "vole/chan.h"
#include "vole/sync.h"

using namespace vole;

namespace {

constexpr int waiters = 10'000;

VOLE_BENCH(close_10k_waiters) {
  std::int64_t released = 0;
  while (b.loop()) {
    b.stop_timer();
    chan<int> gate(0);
    sync::wait_group started;
    sync::wait_group ended;
    started.add(waiters);
    for (int i = 0; i < waiters; ++i) {
      ended.go([&] {
        started.done();
        gate.recv();
      });
    }
    started.wait();
    b.start_timer();
    gate.close();
    ended.wait();
    released += waiters;
  }
  b.report_metric(static_cast<double>(released) / static_cast<double>(b.n), "check/op");
}

}  // namespace
