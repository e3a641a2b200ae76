// SPDX-License-Identifier: Apache-2.0
// Add, done and wait where nobody has to wait; one wait group per goroutine.

#include "vole/bench.h"

#include <cstdint>

#include "vole/internal/atomic.h"
#include "vole/sync.h"

using namespace vole;

namespace {

VOLE_BENCH(wait_group) {
  internal::atomic<std::int64_t> sum{0};
  b.run_parallel([&](bench::parallel& turns) {
    sync::wait_group wg;
    std::int64_t own = 0;
    for (; turns.next(); ++own) {
      wg.add(1);
      wg.done();
      wg.wait();
    }
    sum.fetch_add(own);
  });
  b.report_metric(static_cast<double>(sum.load()) / static_cast<double>(b.n), "check/op");
}

}  // namespace
