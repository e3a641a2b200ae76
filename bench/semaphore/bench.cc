// SPDX-License-Identifier: Apache-2.0
// Take a unit of a semaphore and give it back: alone, and eight goroutines for two units.

#include "vole/bench.h"

#include <cstdint>

#include "vole/sync.h"

using namespace vole;

namespace {

VOLE_BENCH(semaphore) {
  b.run("uncontended", [](bench::benchmark& b) {
    sync::semaphore units(1);
    std::int64_t sum = 0;
    while (b.loop()) {
      units.acquire(1);
      ++sum;
      units.release(1);
    }
    b.report_metric(static_cast<double>(sum) / static_cast<double>(b.n), "check/op");
  });
  b.run("contended", [](bench::benchmark& b) {
    constexpr int goroutines = 8;
    sync::semaphore units(2);
    std::int64_t sums[goroutines] = {};
    sync::wait_group all;
    for (int g = 0; g < goroutines; ++g) {
      all.go([&, g, share = b.n / goroutines + (g < b.n % goroutines ? 1 : 0)] {
        std::int64_t own = 0;
        for (std::int64_t i = 0; i < share; ++i) {
          units.acquire(1);
          ++own;
          units.release(1);
        }
        sums[g] = own;
      });
    }
    all.wait();
    std::int64_t sum = 0;
    for (std::int64_t const own : sums) sum += own;
    b.report_metric(static_cast<double>(sum) / static_cast<double>(b.n), "check/op");
  });
}

}  // namespace
