// SPDX-License-Identifier: Apache-2.0
// The scheduler's counters, summed up. Each is exact; all together are not of one instant.

#include <algorithm>
#include <iterator>
#include <string>

#include "vole/internal/format.h"

#include "runtime/sample.h"
#include "runtime/scheduler.h"

namespace vole::internal {

std::size_t scheduler::live() noexcept {
  std::uint64_t n =
      foreign_created_.load(memory_order_relaxed) - foreign_ended_.load(memory_order_relaxed);
  for (auto const& slot : processors_) {
    processor const* const p =
        slot.load(memory_order_acquire);  // pairs with processor.cc:take_free
    if (p == nullptr) break;
    n += p->created.load(memory_order_relaxed) - p->ended.load(memory_order_relaxed);
  }
  return static_cast<std::size_t>(n);
}

runtime::stats scheduler::stats() noexcept {
  runtime::stats s{};
  s.goroutines_live = live();
  s.goroutines_created_total = foreign_created_.load(memory_order_relaxed);
  s.runnable_global = global_size_.load(memory_order_relaxed);
  s.runnable_background = background_size_.load(memory_order_relaxed);
  s.background_turns_total = background_turns_.load(memory_order_relaxed);
  s.runnable = s.runnable_global + s.runnable_background;
  for (auto const& slot : processors_) {
    processor* const p = slot.load(memory_order_acquire);  // pairs with processor.cc:take_free
    if (p == nullptr) break;
    s.goroutines_created_total += p->created.load(memory_order_relaxed);
    s.schedules_total += p->tick.load(memory_order_relaxed);
    s.steals_total += p->steals.load(memory_order_relaxed);
    s.yields_total += p->yields.load(memory_order_relaxed);
    std::size_t const queued = p->queue.size() + (p->queue.has_next() ? 1 : 0);
    s.runnable += queued;
    s.runnable_longest = std::max(s.runnable_longest, queued);
    s.timers += p->timers.size();
  }
  s.threads = worker_count_.load(memory_order_relaxed);
  s.threads_max = workers_limit_.load(memory_order_relaxed);
  s.threads_unprofiled = sample::threads_unarmed();
  s.threads_spinning = spinning_.load(memory_order_relaxed);
  s.processors = processor_count_.load(memory_order_relaxed);
  s.processors_idle = idle_count_.load(memory_order_relaxed);
  s.processors_spare = spares_.load(memory_order_relaxed);
  s.blocking_calls = blocking_calls_.load(memory_order_relaxed);
  s.handoffs_total = handoffs_.load(memory_order_relaxed);
  s.stalls_total = stalls_.load(memory_order_relaxed);
  for_each_worker(
      [](void* arg, worker& w) {
        if (w.on_cpu.load(memory_order_relaxed) != nullptr) ++*static_cast<std::size_t*>(arg);
      },
      &s.goroutines_running);
  s.goroutines_running -= std::min(s.goroutines_running, s.blocking_calls);
  std::size_t const awake = s.goroutines_running + s.runnable + s.blocking_calls;
  s.goroutines_parked = s.goroutines_live - std::min(s.goroutines_live, awake);
  // Whoever was scheduled had been spawned, had yielded, or had been parked.
  std::uint64_t const not_parked = s.goroutines_created_total + s.yields_total;
  s.parks_total = s.goroutines_parked + s.schedules_total - std::min(s.schedules_total, not_parked);
  {
    raw_lock const lock(mu_);
    s.threads_idle = idle_worker_count_;
  }
  stack_counters const c = stacks_.counters();
  s.stacks_pooled = c.pooled;
  s.stack_bytes_reserved = c.reserved_bytes;
  s.stacks_unguarded = c.unguarded;
  s.stacks_in_use = c.blocks - c.pooled;
  s.stacks_scavenged_total = c.scavenged_total;
  s.stack_bytes_high_water = c.high_water_bytes;
  s.stacks_max = c.blocks_max;
  return s;
}

runtime::latency_histogram scheduler::latency() noexcept {
  runtime::latency_histogram h;
  std::uint64_t ns = 0;
  for (auto const& slot : processors_) {
    processor const* const p =
        slot.load(memory_order_acquire);  // pairs with processor.cc:take_free
    if (p == nullptr) break;
    for (std::size_t i = 0; i < latency_buckets; ++i) {
      h.counts[i] += p->latency[i].load(memory_order_relaxed);
    }
    ns += p->latency_ns_total.load(memory_order_relaxed);
  }
  h.sum = duration(static_cast<duration::rep>(ns));
  return h;
}

std::string scheduler::trace_line(duration since_start) noexcept {
  runtime::stats const s = stats();
  std::string line = fmt::format(
      "SCHED {}ms: procs={} idleprocs={} spareprocs={} threads={} spinningthreads={} "
      "idlethreads={} "
      "goroutines={} parked={} blocking={} steals={} stalls={} background={} runqueue={} [",
      std::chrono::duration_cast<std::chrono::milliseconds>(since_start).count(), s.processors,
      s.processors_idle, s.processors_spare, s.threads, s.threads_spinning, s.threads_idle,
      s.goroutines_live, s.goroutines_parked, s.blocking_calls, s.steals_total, s.stalls_total,
      s.runnable_background, s.runnable_global);
  char const* between = "";
  for (auto const& slot : processors_) {
    processor* const p = slot.load(memory_order_acquire);  // pairs with processor.cc:take_free
    if (p == nullptr) break;
    if (p->state.load(memory_order_relaxed) == processor_state::free) continue;
    fmt::format_to(std::back_inserter(line), "{}{}", between,
                   p->queue.size() + (p->queue.has_next() ? 1 : 0));
    between = " ";
  }
  return line + "]\n";
}

}  // namespace vole::internal
