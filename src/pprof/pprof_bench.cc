// SPDX-License-Identifier: Apache-2.0
// What a profile costs: symbols are read by the first round and kept.

#include <cstdint>
#include <memory>
#include <vector>

#include "vole/bench.h"
#include "vole/internal/unlock_sample.h"
#include "vole/pprof.h"

#include "pprof/profile.h"
#include "runtime/contention.h"
#include "runtime/sample_ring.h"
#include "runtime/scheduler.h"
#include "runtime/stack_table.h"

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
  internal::sample::ring ring;
  if (!ring.prepare()) return b.fail("no memory for a ring");
  std::vector<std::uintptr_t> const pcs(32, 4711);
  std::uint64_t seen = 0;
  while (b.loop()) {
    if (!ring.push({.goroutine_id = 1, .weight = 1, .pcs = pcs})) {
      ring.drain([&](internal::sample::cpu_sample const& s) { seen += s.weight; });
    }
  }
  bench::keep(seen);
}

// A stack that is counted again, as each sample of heap, block and mutex is.
VOLE_BENCH(stack_table_known_32_frames) {
  auto const table = std::make_unique<internal::stack_table>();
  std::vector<std::uintptr_t> const pcs(32, 4711);
  while (b.loop()) ++table->at(pcs, 0).counts[0];
  bench::keep(table->size());
}

// At the default budget nearly none of so many is chosen.
VOLE_BENCH(wait_not_chosen) {
  internal::atomic<std::int64_t> since{never.time_since_epoch().count() / 2};  // it was not long
  while (b.loop()) {
    internal::contention::wait_sample const wait(internal::wait_reason::chan_send);
    wait.end(__builtin_return_address(0),
             internal::the_scheduler().coarse_now().time_since_epoch() -
                 duration(since.load(internal::memory_order_relaxed)));
  }
}
VOLE_BENCH(unlock_not_chosen) {
  while (b.loop()) {
    internal::unlock_sample unlock;
    unlock.add(never);
    unlock.charge();
  }
}

VOLE_BENCH(label_scope) {
  while (b.loop()) pprof::label_scope const labels{{"tenant", "acme"}};
}

}  // namespace
