// SPDX-License-Identifier: Apache-2.0
// What the harness itself costs: to be subtracted in thought from what others measure.

#include <memory>

#include "vole/bench.h"

namespace {

VOLE_BENCH(empty_loop) {
  while (b.loop()) {
  }
}

VOLE_BENCH(keep_int) {
  int x = 0;
  while (b.loop()) {
    ++x;
    vole::bench::keep(x);
  }
}

VOLE_BENCH(stop_start_timer) {
  while (b.loop()) {
    b.stop_timer();
    b.start_timer();
  }
}

VOLE_BENCH(allocate_64) {
  b.report_allocs();
  while (b.loop()) vole::bench::keep(std::make_unique<char[]>(64));
}

VOLE_BENCH(parallel_empty) {
  b.run_parallel([](vole::bench::parallel& turns) {
    while (turns.next()) vole::bench::clobber();
  });
}

}  // namespace
