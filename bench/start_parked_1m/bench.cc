// SPDX-License-Identifier: Apache-2.0
// Start 1,000,000 goroutines (VOLE_PARKED: how many) that receive from a channel four calls of 200
// bytes deep, until the last one has said that it runs. Then all go on, and their sum is checked.

#include "vole/bench.h"

#include <cstdint>

#include "vole/chan.h"
#include "vole/internal/atomic.h"
#include "vole/sync.h"

#include "process_memory.h"

using namespace vole;

namespace {

[[gnu::noinline]] std::int64_t receive_deep(chan<int>& gate, std::int64_t seed, int depth) {
  volatile std::int64_t frame[25];  // 200 bytes
  for (std::size_t i = 0; i < 25; ++i) frame[i] = seed;
  std::int64_t below = 0;
  if (depth > 1) {
    below = receive_deep(gate, seed, depth - 1);
  } else {
    gate.recv();
  }
  return below + frame[24];
}

VOLE_BENCH(start_parked_1m) {
  int const n = bench::goroutines_parked();
  internal::atomic<std::int64_t> sum{0};
  bench::memory grown;
  while (b.loop()) {
    b.stop_timer();
    auto const before = bench::memory::now();
    b.start_timer();
    chan<int> gate(0);
    sync::wait_group started;
    sync::wait_group ended;
    started.add(n);
    for (int i = 0; i < n; ++i) {
      ended.go([&, i] {
        started.done();
        sum.fetch_add(receive_deep(gate, i, 4));
      });
    }
    started.wait();
    b.stop_timer();
    grown.grow_by(before);
    gate.close();
    ended.wait();
    b.start_timer();
  }
  grown.report(b, n, "goroutine");
  b.report_metric(static_cast<double>(sum.load()) / static_cast<double>(b.n), "check/op");
}

}  // namespace
