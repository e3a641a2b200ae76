// SPDX-License-Identifier: Apache-2.0
// Start one goroutine and wait until it has ended.

#include "vole/bench.h"

#include <cstdint>

#include "vole/sync.h"

using namespace vole;

namespace {

VOLE_BENCH(spawn_join) {
  std::int64_t ran = 0;
  while (b.loop()) {
    sync::wait_group wg;
    wg.go([&] { ++ran; });
    wg.wait();
  }
  b.report_metric(static_cast<double>(ran) / static_cast<double>(b.n), "check/op");
}

}  // namespace
