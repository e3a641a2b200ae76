// SPDX-License-Identifier: Apache-2.0
// Give the processor to the next goroutine; 32 goroutines per processor do so in turn.

#include "vole/bench.h"

#include <cstdint>

#include "vole/internal/atomic.h"
#include "vole/runtime.h"

using namespace vole;

namespace {

VOLE_BENCH(yield) {
  internal::atomic<std::int64_t> yields{0};
  b.set_parallelism(32);
  b.run_parallel([&](bench::parallel& turns) {
    std::int64_t own = 0;
    for (; turns.next(); ++own) runtime::yield();
    yields.fetch_add(own);
  });
  b.report_metric(static_cast<double>(yields.load()) / static_cast<double>(b.n), "check/op");
}

}  // namespace
