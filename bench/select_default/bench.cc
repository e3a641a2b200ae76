// SPDX-License-Identifier: Apache-2.0
// Look into an empty channel without waiting.

#include "vole/bench.h"

#include <cstdint>

#include "vole/chan.h"
#include "vole/select.h"

using namespace vole;

namespace {

VOLE_BENCH(select_default) {
  chan<int> c(0);
  std::int64_t sum = 0;
  while (b.loop()) {
    int v = 0;
    switch (select(recv(c, &v), otherwise())) {
      case 0:
        sum += v;
        break;
      default:
        ++sum;
        break;
    }
  }
  b.report_metric(static_cast<double>(sum) / static_cast<double>(b.n), "check/op");
}

}  // namespace
