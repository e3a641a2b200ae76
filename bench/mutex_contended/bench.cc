// SPDX-License-Identifier: Apache-2.0
// Two, eight and a thousand goroutines under one mutex.

#include "vole/bench.h"

#include <cstdint>
#include <string>

#include "vole/sync.h"

using namespace vole;

namespace {

VOLE_BENCH(mutex_contended) {
  for (int const goroutines : {2, 8, 1000}) {
    b.run(std::to_string(goroutines), [goroutines](bench::benchmark& b) {
      sync::mutex mu;
      std::int64_t sum = 0;
      sync::wait_group all;
      for (int g = 0; g < goroutines; ++g) {
        all.go([&, share = b.n / goroutines + (g < b.n % goroutines ? 1 : 0)] {
          for (std::int64_t i = 0; i < share; ++i) {
            sync::lock_guard const hold(mu);
            ++sum;
          }
        });
      }
      all.wait();
      b.report_metric(static_cast<double>(sum) / static_cast<double>(b.n), "check/op");
    });
  }
}

}  // namespace
