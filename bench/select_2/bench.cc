// SPDX-License-Identifier: Apache-2.0
// Select between two channels of which one is ready.

#include "vole/bench.h"

#include <cstdint>

#include "vole/chan.h"
#include "vole/select.h"

using namespace vole;

namespace {

VOLE_BENCH(select_2) {
  chan<int> c1(1);
  chan<int> c2(1);
  c1.send(1);
  std::int64_t sum = 0;
  while (b.loop()) {
    int v = 0;
    switch (select(recv(c1, &v), recv(c2, &v))) {
      case 0:
        c2.send(v);
        break;
      default:
        c1.send(v);
        break;
    }
    sum += v;
  }
  b.report_metric(static_cast<double>(sum) / static_cast<double>(b.n), "check/op");
}

}  // namespace
