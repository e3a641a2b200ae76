// SPDX-License-Identifier: Apache-2.0
// Receive by a select over eight channels; each turn makes the next one ready.

#include "vole/bench.h"

#include <array>
#include <cstdint>

#include "vole/chan.h"
#include "vole/select.h"

using namespace vole;

namespace {

VOLE_BENCH(select_8) {
  std::array<chan<int>, 8> c;
  for (auto& one : c) one = chan<int>(1);
  c[0].send(1);
  std::int64_t sum = 0;
  while (b.loop()) {
    int v = 0;
    int const i = select(recv(c[0], &v), recv(c[1], &v), recv(c[2], &v), recv(c[3], &v),
                         recv(c[4], &v), recv(c[5], &v), recv(c[6], &v), recv(c[7], &v));
    c[static_cast<std::size_t>(i + 1) % 8].send(v);
    sum += v;
  }
  b.report_metric(static_cast<double>(sum) / static_cast<double>(b.n), "check/op");
}

}  // namespace
