// SPDX-License-Identifier: Apache-2.0
// Readers on all processors share one rw_mutex; nobody writes.

#include "vole/bench.h"

#include <cstdint>

#include "vole/internal/atomic.h"
#include "vole/sync.h"

using namespace vole;

namespace {

VOLE_BENCH(rwmutex_read) {
  sync::rw_mutex mu;
  int value = 1;
  internal::atomic<std::int64_t> sum{0};
  b.run_parallel([&](bench::parallel& turns) {
    std::int64_t own = 0;
    while (turns.next()) {
      sync::read_guard const hold(mu);
      own += value;
    }
    sum.fetch_add(own);
  });
  bench::keep(value);
  b.report_metric(static_cast<double>(sum.load()) / static_cast<double>(b.n), "check/op");
}

}  // namespace
