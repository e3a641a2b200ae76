// SPDX-License-Identifier: Apache-2.0
// Start 1,000 goroutines and wait until all have ended.

#include "vole/bench.h"

#include <cstdint>

#include "vole/internal/atomic.h"
#include "vole/sync.h"

using namespace vole;

namespace {

VOLE_BENCH(spawn_1000) {
  internal::atomic<std::int64_t> ran{0};
  while (b.loop()) {
    sync::wait_group wg;
    for (int i = 0; i < 1000; ++i) {
      wg.go([&] { ran.fetch_add(1); });
    }
    wg.wait();
  }
  b.report_metric(static_cast<double>(ran.load()) / static_cast<double>(b.n), "check/op");
}

}  // namespace
