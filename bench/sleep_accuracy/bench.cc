// SPDX-License-Identifier: Apache-2.0
// Sleep for a millisecond: late-ns/op is how much later than that the sleeper ran.

#include "vole/bench.h"

#include <chrono>
#include <cstdint>

#include "vole/time.h"

using namespace vole;

namespace {

VOLE_BENCH(sleep_accuracy) {
  constexpr duration nap = std::chrono::milliseconds(1);
  duration late{0};
  std::int64_t early = 0;
  while (b.loop()) {
    time_point const from = time::now();
    time::sleep(nap);
    duration const over = time::since(from) - nap;
    if (over.count() < 0) ++early;
    late += over;
  }
  b.report_metric(static_cast<double>(late.count()) / static_cast<double>(b.n), "late-ns/op");
  b.report_metric(static_cast<double>(early), "check/op");
}

}  // namespace
