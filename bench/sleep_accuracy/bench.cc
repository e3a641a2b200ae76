// SPDX-License-Identifier: Apache-2.0
// Sleep for a millisecond: how much later than asked the sleeper ran, on average and at the 99th
// percentile.

#include "vole/bench.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <vector>

#include "vole/time.h"

using namespace vole;

namespace {

VOLE_BENCH(sleep_accuracy) {
  constexpr duration nap = std::chrono::milliseconds(1);
  std::vector<std::int64_t> late;
  while (b.loop()) {
    time_point const from = time::now();
    time::sleep(nap);
    late.push_back((time::since(from) - nap).count());
  }
  std::sort(late.begin(), late.end());
  std::int64_t sum = 0;
  for (std::int64_t const one : late) sum += one;
  auto const early = std::lower_bound(late.begin(), late.end(), 0) - late.begin();
  b.report_metric(static_cast<double>(sum) / static_cast<double>(b.n), "late-ns/op");
  b.report_metric(static_cast<double>(late[late.size() * 99 / 100]), "p99-late-ns");
  b.report_metric(static_cast<double>(early), "check/op");
}

}  // namespace
