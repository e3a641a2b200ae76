// SPDX-License-Identifier: Apache-2.0
// Start 100,000 goroutines that park on a channel, until the last one has said that it runs.

#include "vole/bench.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <unistd.h>

#include "vole/chan.h"
#include "vole/sync.h"

using namespace vole;

namespace {

constexpr int goroutines = 100'000;

std::int64_t resident_bytes() {
  std::FILE* const f = std::fopen("/proc/self/statm", "r");
  if (f == nullptr) return 0;
  long size = 0;
  long resident = 0;
  int const fields = std::fscanf(f, "%ld %ld", &size, &resident);
  std::fclose(f);
  return fields == 2 ? resident * sysconf(_SC_PAGESIZE) : 0;
}

VOLE_BENCH(start_parked_100k) {
  std::int64_t released = 0;
  std::int64_t grown = 0;
  while (b.loop()) {
    b.stop_timer();
    std::int64_t const before = resident_bytes();
    b.start_timer();
    chan<int> gate(0);
    sync::wait_group started;
    sync::wait_group ended;
    started.add(goroutines);
    for (int i = 0; i < goroutines; ++i) {
      ended.go([&] {
        started.done();
        gate.recv();
      });
    }
    started.wait();
    b.stop_timer();
    grown = std::max(grown, resident_bytes() - before);
    gate.close();
    ended.wait();
    released += goroutines;
    b.start_timer();
  }
  b.report_metric(static_cast<double>(grown) / goroutines, "rss-B/goroutine");
  b.report_metric(static_cast<double>(released) / static_cast<double>(b.n), "check/op");
}

}  // namespace
