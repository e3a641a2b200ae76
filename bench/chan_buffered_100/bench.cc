// SPDX-License-Identifier: Apache-2.0
// One goroutine sends, another receives, over a channel with room for 100.

#include "vole/bench.h"

#include <cstdint>

#include "vole/chan.h"
#include "vole/go.h"

using namespace vole;

namespace {

VOLE_BENCH(chan_buffered_100) {
  chan<int> c(100);
  go([c, n = b.n] {
    for (std::int64_t i = 0; i < n; ++i) c.send(1);
    c.close();
  });
  std::int64_t sum = 0;
  for (int const v : c) sum += v;
  b.report_metric(static_cast<double>(sum) / static_cast<double>(b.n), "check/op");
}

}  // namespace
