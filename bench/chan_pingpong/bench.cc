// SPDX-License-Identifier: Apache-2.0
// Two goroutines hand a value to and fro over two unbuffered channels.

#include "vole/bench.h"

#include <cstdint>

#include "vole/chan.h"
#include "vole/sync.h"

using namespace vole;

namespace {

VOLE_BENCH(chan_pingpong) {
  chan<int> ping(0);
  chan<int> pong(0);
  sync::wait_group partner;
  partner.go([&] {
    for (int const v : ping) pong.send(v);
  });
  std::int64_t sum = 0;
  while (b.loop()) {
    ping.send(1);
    sum += *pong.recv();
  }
  ping.close();
  partner.wait();
  b.report_metric(static_cast<double>(sum) / static_cast<double>(b.n), "check/op");
}

}  // namespace
