// SPDX-License-Identifier: Apache-2.0
// Lock and unlock a mutex that nobody else wants.

#include "vole/bench.h"

#include <cstdint>

#include "vole/sync.h"

using namespace vole;

namespace {

VOLE_BENCH(mutex_uncontended) {
  sync::mutex mu;
  std::int64_t sum = 0;
  while (b.loop()) {
    mu.lock();
    ++sum;
    mu.unlock();
  }
  b.report_metric(static_cast<double>(sum) / static_cast<double>(b.n), "check/op");
}

}  // namespace
