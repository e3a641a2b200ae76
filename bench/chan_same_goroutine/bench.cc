// SPDX-License-Identifier: Apache-2.0
// Send to a channel with room and receive from it, in one goroutine: nobody waits.

#include "vole/bench.h"

#include <cstdint>

#include "vole/chan.h"

using namespace vole;

namespace {

VOLE_BENCH(chan_same_goroutine) {
  chan<int> c(1);
  std::int64_t sum = 0;
  while (b.loop()) {
    c.send(1);
    sum += *c.recv();
  }
  b.report_metric(static_cast<double>(sum) / static_cast<double>(b.n), "check/op");
}

}  // namespace
