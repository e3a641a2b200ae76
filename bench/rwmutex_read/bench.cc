// SPDX-License-Identifier: Apache-2.0
// Goroutines on all processors share one rw_mutex. read_mostly: one in 100 times each of them
// writes; pure: nobody does.

#include "vole/bench.h"

#include <cstdint>

#include "vole/internal/atomic.h"
#include "vole/sync.h"

using namespace vole;

namespace {

constexpr int write_every = 100;

VOLE_BENCH(rwmutex_read) {
  b.run("read_mostly", [](bench::benchmark& b) {
    sync::rw_mutex mu;
    int value = 1;
    internal::atomic<std::int64_t> sum{0};
    b.run_parallel([&](bench::parallel& turns) {
      std::int64_t own = 0;
      int until_write = write_every;
      while (turns.next()) {
        if (--until_write == 0) {
          until_write = write_every;
          sync::write_guard const hold(mu);
          ++value;
          ++own;
        } else {
          sync::read_guard const hold(mu);
          own += value > 0 ? 1 : 0;
        }
      }
      sum.fetch_add(own);
    });
    b.report_metric(static_cast<double>(sum.load()) / static_cast<double>(b.n), "check/op");
  });
  b.run("pure", [](bench::benchmark& b) {
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
  });
}

}  // namespace
