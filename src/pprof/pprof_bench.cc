// SPDX-License-Identifier: Apache-2.0
// What a profile costs: symbols are read by the first round and kept.

#include <cstdint>
#include <memory>
#include <vector>

#include "vole/bench.h"
#include "vole/pprof.h"

#include "pprof/profile.h"
#include "runtime/sample_ring.h"

using namespace vole;

namespace {

VOLE_BENCH(goroutine_profile) {
  std::size_t bytes = 0;
  while (b.loop()) bytes += pprof::lookup("goroutine")->write(0).size();
  b.report_metric(static_cast<double>(bytes) / static_cast<double>(b.n), "profile-B/op");
}

VOLE_BENCH(cpu_start_stop) {
  std::size_t bytes = 0;
  while (b.loop()) {
    auto cpu = pprof::start_cpu();
    if (!cpu) return b.fail("{}", cpu.error());
    bytes += cpu->stop().size();
  }
  b.report_metric(static_cast<double>(bytes) / static_cast<double>(b.n), "profile-B/op");
}

VOLE_BENCH(ring_push_drain_32_frames) {
  auto const ring = std::make_unique<internal::sample::ring>();
  std::vector<std::uintptr_t> const pcs(32, 4711);
  std::uint64_t seen = 0;
  while (b.loop()) {
    if (!ring->push({.goroutine_id = 1, .weight = 1, .pcs = pcs})) {
      ring->drain([&](internal::sample::cpu_sample const& s) { seen += s.weight; });
    }
  }
  bench::keep(seen);
}

}  // namespace
