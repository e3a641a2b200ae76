// SPDX-License-Identifier: Apache-2.0
// Start 100,000 goroutines that park on a channel, until the last one has said that it runs.

#include "vole/bench.h"

#include <cstdint>

#include "vole/chan.h"
#include "vole/sync.h"

#include "process_memory.h"

using namespace vole;

namespace {

constexpr int goroutines = 100'000;

VOLE_BENCH(start_parked_100k) {
  std::int64_t released = 0;
  bench::memory grown;
  while (b.loop()) {
    b.stop_timer();
    auto const before = bench::memory::now();
    b.start_timer();
    chan<int> gate(0);
    sync::wait_group started;
    sync::wait_group ended;
    started.add(goroutines);
    for (int i = 0; i < goroutines; ++i) {
      ended.go([&] {
        started.done();
        gate.recv();
      });
    }
    started.wait();
    b.stop_timer();
    grown.grow_by(before);
    gate.close();
    ended.wait();
    released += goroutines;
    b.start_timer();
  }
  grown.report(b, goroutines, "goroutine");
  b.report_metric(static_cast<double>(released) / static_cast<double>(b.n), "check/op");
}

}  // namespace
