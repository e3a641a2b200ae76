// SPDX-License-Identifier: Apache-2.0
// Start 1,000,000 goroutines (VOLE_PARKED: how many) that receive from a channel four calls of 200
// bytes deep, until the last one has said that it runs. Then all go on, and their sum is checked.

#include "vole/bench.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <unistd.h>

#include "vole/chan.h"
#include "vole/internal/atomic.h"
#include "vole/sync.h"

using namespace vole;

namespace {

int goroutines() {
  char const* const text = std::getenv("VOLE_PARKED");
  return text == nullptr ? 1'000'000 : std::atoi(text);
}

[[gnu::noinline]] std::int64_t receive_deep(chan<int>& gate, std::int64_t seed, int depth) {
  volatile std::int64_t frame[25];  // 200 bytes
  for (std::size_t i = 0; i < 25; ++i) frame[i] = seed;
  std::int64_t below = 0;
  if (depth > 1) {
    below = receive_deep(gate, seed, depth - 1);
  } else {
    gate.recv();
  }
  return below + frame[24];
}

std::int64_t resident_bytes() {
  std::FILE* const f = std::fopen("/proc/self/statm", "r");
  if (f == nullptr) return 0;
  long size = 0;
  long resident = 0;
  int const fields = std::fscanf(f, "%ld %ld", &size, &resident);
  std::fclose(f);
  return fields == 2 ? resident * sysconf(_SC_PAGESIZE) : 0;
}

VOLE_BENCH(start_parked_1m) {
  int const n = goroutines();
  internal::atomic<std::int64_t> sum{0};
  std::int64_t grown = 0;
  while (b.loop()) {
    b.stop_timer();
    std::int64_t const before = resident_bytes();
    b.start_timer();
    chan<int> gate(0);
    sync::wait_group started;
    sync::wait_group ended;
    started.add(n);
    for (int i = 0; i < n; ++i) {
      ended.go([&, i] {
        started.done();
        sum.fetch_add(receive_deep(gate, i, 4));
      });
    }
    started.wait();
    b.stop_timer();
    grown = std::max(grown, resident_bytes() - before);
    gate.close();
    ended.wait();
    b.start_timer();
  }
  b.report_metric(static_cast<double>(grown) / n, "rss-B/goroutine");
  b.report_metric(static_cast<double>(sum.load()) / static_cast<double>(b.n), "check/op");
}

}  // namespace
