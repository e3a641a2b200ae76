// SPDX-License-Identifier: Apache-2.0
// Four producers, each with an unbuffered channel of its own; one consumer selects over the four.

#include "vole/bench.h"

#include <array>
#include <cstdint>

#include "vole/chan.h"
#include "vole/go.h"
#include "vole/select.h"

using namespace vole;

namespace {

VOLE_BENCH(select_contended) {
  std::array<chan<int>, 4> c;
  for (auto& one : c) one = chan<int>(0);
  for (std::size_t i = 0; i < c.size(); ++i) {
    std::int64_t const share = b.n / 4 + (static_cast<std::int64_t>(i) < b.n % 4 ? 1 : 0);
    go([out = c[i], share] {
      for (std::int64_t k = 0; k < share; ++k) out.send(1);
    });
  }
  std::int64_t sum = 0;
  for (std::int64_t k = 0; k < b.n; ++k) {
    int v = 0;
    select(recv(c[0], &v), recv(c[1], &v), recv(c[2], &v), recv(c[3], &v));
    sum += v;
  }
  b.report_metric(static_cast<double>(sum) / static_cast<double>(b.n), "check/op");
}

}  // namespace
