// SPDX-License-Identifier: Apache-2.0
// What an exception costs that foreign code throws and catches, on all processors at once: with
// -cpu 1,2 the time per operation halves where the unwinder takes no lock of the process.
#include <cstdint>

#include "vole/bench.h"
#include "vole/internal/atomic.h"

using namespace vole;

namespace {

[[gnu::noinline]] std::int64_t throw_below(int frames) {
  if (frames == 1) throw std::int64_t{1};
  std::int64_t const thrown = throw_below(frames - 1);
  asm volatile("" ::: "memory");  // no tail call: the frame stays
  return thrown;
}

[[gnu::noinline]] std::int64_t caught(int frames) {
  try {
    return throw_below(frames);
  } catch (std::int64_t const thrown) {
    return thrown;
  }
}

void measure(bench::benchmark& b, int frames) {
  internal::atomic<std::int64_t> all{0};
  b.run_parallel([&](bench::parallel& turns) {
    std::int64_t mine = 0;
    while (turns.next()) mine += caught(frames);
    all.fetch_add(mine, internal::memory_order_relaxed);
  });
  b.report_metric(static_cast<double>(all.load()) / static_cast<double>(b.n), "check/op");
}

VOLE_BENCH(throw_catch) {
  b.run("frames=1", [](bench::benchmark& sub) { measure(sub, 1); });
  b.run("frames=10", [](bench::benchmark& sub) { measure(sub, 10); });
  b.run("frames=10,goroutines=100", [](bench::benchmark& sub) {
    sub.set_parallelism(100);
    measure(sub, 10);
  });
}

}  // namespace
