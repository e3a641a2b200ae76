// SPDX-License-Identifier: Apache-2.0
// Four goroutines per processor count under one mutex.

#include "vole/bench.h"

#include <cstdint>

#include "vole/sync.h"

using namespace vole;

namespace {

VOLE_BENCH(mutex_contended) {
  sync::mutex mu;
  std::int64_t sum = 0;
  b.set_parallelism(4);
  b.run_parallel([&](bench::parallel& turns) {
    while (turns.next()) {
      sync::lock_guard const hold(mu);
      ++sum;
    }
  });
  b.report_metric(static_cast<double>(sum) / static_cast<double>(b.n), "check/op");
}

}  // namespace
