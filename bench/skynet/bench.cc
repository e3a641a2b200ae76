// SPDX-License-Identifier: Apache-2.0
// A tree of goroutines, ten children each, a million leaves; each sends up the sum below it.

#include "vole/bench.h"

#include <cstdint>

#include "vole/chan.h"
#include "vole/go.h"

using namespace vole;

namespace {

void skynet(chan<std::int64_t> const& to, std::int64_t number, std::int64_t size) {
  if (size == 1) {
    to.send(number);
    return;
  }
  chan<std::int64_t> c(0);
  for (int i = 0; i < 10; ++i) {
    go([c, number = number + i * (size / 10), size] { skynet(c, number, size / 10); });
  }
  std::int64_t sum = 0;
  for (int i = 0; i < 10; ++i) sum += *c.recv();
  to.send(sum);
}

VOLE_BENCH(skynet) {
  std::int64_t sum = 0;
  while (b.loop()) {
    chan<std::int64_t> c(0);
    go([c] { skynet(c, 0, 1'000'000); });
    sum += *c.recv();
  }
  b.report_metric(static_cast<double>(sum) / static_cast<double>(b.n), "check/op");
}

}  // namespace
