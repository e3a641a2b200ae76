// SPDX-License-Identifier: Apache-2.0
// Give the processor to the next goroutine; 32 goroutines per processor do so in turn.

#include "vole/bench.h"

#include <cstdint>

#include "vole/internal/atomic.h"
#include "vole/runtime.h"
#include "vole/sync.h"

using namespace vole;

namespace {

VOLE_BENCH(yield) {
  int const goroutines = 32 * runtime::max_procs();
  internal::atomic<std::int64_t> yields{0};
  sync::wait_group all;
  for (int g = 0; g < goroutines; ++g) {
    all.go([&yields, turns = b.n / goroutines + (g < b.n % goroutines ? 1 : 0)] {
      std::int64_t own = 0;
      for (; own < turns; ++own) runtime::yield();
      yields.fetch_add(own);
    });
  }
  all.wait();
  b.report_metric(static_cast<double>(yields.load()) / static_cast<double>(b.n), "check/op");
}

}  // namespace
