// SPDX-License-Identifier: Apache-2.0
// Make a timer that is due in an hour and stop it.

#include "vole/bench.h"

#include <chrono>
#include <cstdint>

#include "vole/time.h"

using namespace vole;

namespace {

VOLE_BENCH(timer_create_stop) {
  std::int64_t stopped = 0;
  while (b.loop()) {
    time::timer const t(std::chrono::hours(1));
    if (t.stop()) ++stopped;
  }
  b.report_metric(static_cast<double>(stopped) / static_cast<double>(b.n), "check/op");
}

}  // namespace
