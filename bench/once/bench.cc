// SPDX-License-Identifier: Apache-2.0
// Pass through a once that has been done.

#include "vole/bench.h"

#include <cstdint>

#include "vole/internal/atomic.h"
#include "vole/sync.h"

using namespace vole;

namespace {

VOLE_BENCH(once) {
  sync::once once;
  internal::atomic<std::int64_t> ran{0};
  b.run_parallel([&](bench::parallel& turns) {
    while (turns.next()) {
      once.call([&] { ran.fetch_add(1); });
    }
  });
  b.report_metric(static_cast<double>(ran.load()), "check/op");
}

}  // namespace
