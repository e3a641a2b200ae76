// SPDX-License-Identifier: Apache-2.0
//
// run_parallel: the shared counter of iterations, and the clock beside it.
//
// A body takes iterations in grains of about 100 us. Within them it times one iteration, then lets
// `every_ - 1` run untimed, and so on: every_ follows the measured length of an iteration so that a
// pair of clock readings falls on 2.5 us of work.
//
// INVARIANTS
//   - left_ + grain_left_ is what this body has taken and not yet begun.
//   - timing_: the iteration under way began at stamp_; else, when stretch_ > 0, the untimed
//     stretch did.
// LOCKS none. The atomics of parallel::shared and its histogram are the only words that several
//   goroutines write.
// REJECTED timing every iteration (50 ns on each: a lock of 5 ns would read 55); a histogram per
//   body (10 KiB each; the shared one is written 400 times per millisecond at most).
// Source: Go testing/benchmark.go, RunParallel, for the grain. Differs: a body that leaves with
//   iterations in hand is found out even when others take all the rest.

#include <algorithm>
#include <memory>

#include "vole/bench.h"
#include "vole/go.h"
#include "vole/internal/atomic.h"
#include "vole/internal/park.h"
#include "vole/runtime.h"

#include "bench/latency.h"
#include "bench/sanity.h"
#include "bench/state.h"

namespace vole::bench {
namespace {

constexpr std::int64_t ns_per_timed_iteration = 2'500;
constexpr std::uint64_t grain_max = 10'000;

}  // namespace

struct parallel::shared {
  std::uint64_t turns;
  std::uint64_t grain;
  double clock_ns;  // what a timed iteration owes to the clock
  remarks& said;
  internal::atomic<std::uint64_t> next_turn{0};
  internal::atomic<int> bodies_left;
  internal::atomic<bool> left_early{false};
  internal::park_ticket all_done;
  latency_histogram latencies{};
};

bool parallel::take_grain() {
  if (common_->said.ended()) return false;
  // relaxed, no partner: only the count is shared; the bodies meet in run_parallel's ticket.
  std::uint64_t const first =
      common_->next_turn.fetch_add(common_->grain, internal::memory_order_relaxed);
  if (first >= common_->turns) return false;
  grain_left_ = std::min(common_->grain, common_->turns - first);
  return true;
}

// plan_stretch learns from the untimed stretch that ends now how long an iteration is.
void parallel::plan_stretch(time_point now) {
  auto const per_turn = (now - stamp_).count() / static_cast<std::int64_t>(stretch_);
  std::int64_t const every = ns_per_timed_iteration / std::max<std::int64_t>(per_turn, 1);
  every_ = std::clamp<std::uint64_t>(static_cast<std::uint64_t>(every), 1, grain_max);
  stretch_ = 0;
}

bool parallel::advance() {
  time_point now{};
  if (timing_) {
    now = internal::monotonic_now();
    std::int64_t const ns = (now - stamp_).count();
    common_->latencies.add(ns - static_cast<std::int64_t>(common_->clock_ns));
    timing_ = false;
    if (every_ == 1 && ns < ns_per_timed_iteration / 2) every_ = 2;
    if (every_ > 1) {
      if (grain_left_ == 0 && !take_grain()) return false;
      stretch_ = left_ = std::min(every_ - 1, grain_left_);
      grain_left_ -= left_;
      stamp_ = now;
      return true;
    }
  } else if (stretch_ > 0) {
    now = internal::monotonic_now();
    plan_stretch(now);
  }
  if (grain_left_ == 0) {
    if (!take_grain()) return false;
    now = {};
  }
  timing_ = true;
  left_ = 1;
  --grain_left_;
  stamp_ = now == time_point{} ? internal::monotonic_now() : now;
  return true;
}

void benchmark::set_parallelism(benchmark_state& s, int goroutines_per_processor) {
  if (goroutines_per_processor >= 1) s.parallelism = goroutines_per_processor;
}

bool benchmark::run_bodies(benchmark_state& s, std::int64_t turns,
                           std::function<void(parallel&)> const& body) {
  return s.run_bodies(turns, body);
}

namespace {

// show_latencies adds the percentiles that the clock can tell from nothing.
void show_latencies(benchmark_state& s, latency_histogram const& seen, double clock_ns) {
  if (seen.count() == 0) return;
  auto const show = [&](char const* unit, double ns) {
    if (ns >= clock_ns) {
      s.extra.insert_or_assign(unit, ns);
    } else {
      s.below_clock += s.below_clock.empty() ? unit : std::string(", ") + unit;
    }
  };
  s.below_clock.clear();
  show("p50-ns/op", seen.percentile(50));
  show("p99-ns/op", seen.percentile(99));
  show("max-ns/op", static_cast<double>(seen.max()));
}

}  // namespace

bool benchmark_state::run_bodies(std::int64_t turns,
                                 std::function<void(parallel&)> const& run_body) {
  if (loop_begun) {
    fail(
        "b.run_parallel() and b.loop() in one benchmark: run_parallel stands in the place of the "
        "loop and shares its iterations");
    return false;
  }
  if (turns == 0) return true;
  // So many iterations as take about 100 us: balances load, and the shared word is out of the
  // measure.
  std::uint64_t grain = 1;
  if (previous_n > 0 && previous_time.count() > 0) {
    grain = 100'000 * static_cast<std::uint64_t>(previous_n) /
            static_cast<std::uint64_t>(previous_time.count());
    grain = std::clamp<std::uint64_t>(grain, 1, grain_max);
  }
  int const bodies = parallelism * runtime::max_procs();
  std::unique_ptr<parallel::shared> common;
  {
    benchmark::timer_pause const pause(*this);
    common.reset(new parallel::shared{.turns = static_cast<std::uint64_t>(turns),
                                      .grain = grain,
                                      .clock_ns = clock_cost_ns(),
                                      .said = said,
                                      .next_turn{0},
                                      .bodies_left{bodies},
                                      .left_early{false},
                                      .all_done{}});
  }
  for (int i = 0; i < bodies; ++i) {
    go([&common = *common, &run_body] {
      parallel own(&common);
      if (error const err = caught([&] { run_body(own); })) {
        common.said.fail(fmt::format("a body of run_parallel threw {}", err));
        common.said.end();
      }
      // relaxed, no partner: read when all bodies have ended.
      if (own.left_ + own.grain_left_ > 0) {
        common.left_early.store(true, internal::memory_order_relaxed);
      }
      // The last one out wakes the benchmark; acq_rel pairs with itself: it has seen what all
      // others did.
      if (common.bodies_left.fetch_sub(1, internal::memory_order_acq_rel) == 1 &&
          common.all_done.try_claim()) {
        common.all_done.finish();
      }
    });
  }
  common->all_done.park(internal::wait_reason::wait_group_wait);
  benchmark::timer_pause const pause(*this);
  // relaxed, no partner: the bodies have ended, the ticket has ordered them.
  bool const all_taken =
      common->next_turn.load(internal::memory_order_relaxed) >= common->turns &&
      !common->left_early.load(internal::memory_order_relaxed);  // relaxed, no partner: as above
  if (!all_taken && !said.failed() && !said.ended()) {
    fail("run_parallel: a body returned before turns.next() was false");
    return true;
  }
  parallel_bodies = bodies;
  show_latencies(*this, common->latencies, common->clock_ns);
  return true;
}

}  // namespace vole::bench
