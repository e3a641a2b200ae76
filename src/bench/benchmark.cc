// SPDX-License-Identifier: Apache-2.0
//
// benchmark: its clock, its loop, its parallel bodies.
//
// INVARIANTS
//   - loop_turn_ carries poison_bit while the timer is stopped or the benchmark has failed: the
//     fast path of loop() needs one comparison, and the slow path finds out why it was taken.
//   - measured holds what was timed up to the last stop; the open interval begins at started.
// LOCKS none. parallel::shared::next_turn and ::bodies_left are the only words that several
//   goroutines write.
// Source: Go testing/benchmark.go. Differs: stop_timer stops no world; a body cannot be left from
//   inside loop(), so after fail() the loop ends instead.

#include <algorithm>
#include <cctype>
#include <utility>

#include "vole/assert.h"
#include "vole/bench.h"
#include "vole/go.h"
#include "vole/internal/atomic.h"
#include "vole/internal/park.h"
#include "vole/runtime.h"

#include "bench/runner.h"
#include "bench/state.h"

namespace vole::bench {
namespace {

constexpr std::uint64_t poison_bit = std::uint64_t{1} << 63;

}  // namespace

benchmark::benchmark(std::unique_ptr<state> own) : state_(std::move(own)) {}
benchmark::~benchmark() = default;

void benchmark::start_timer() {
  state& s = *state_;
  if (s.timer_on) return;
  s.timer_on = true;
  if (!s.failed && !s.skipped) loop_turn_ &= ~poison_bit;
  s.blocks_at_start = internal::malloc_count::read();
  s.started = internal::now();
}

void benchmark::stop_timer() {
  state& s = *state_;
  if (!s.timer_on) return;
  s.measured += internal::now() - s.started;
  internal::malloc_count::totals const blocks = internal::malloc_count::read();
  s.blocks_measured.blocks += blocks.blocks - s.blocks_at_start.blocks;
  s.blocks_measured.bytes += blocks.bytes - s.blocks_at_start.bytes;
  s.timer_on = false;
  loop_turn_ |= poison_bit;
}

void benchmark::reset_timer() {
  state& s = *state_;
  s.extra.clear();
  s.measured = {};
  s.blocks_measured = {};
  if (s.timer_on) {
    s.blocks_at_start = internal::malloc_count::read();
    s.started = internal::now();
  }
}

std::chrono::nanoseconds benchmark::elapsed() const {
  state const& s = *state_;
  return s.timer_on ? s.measured + (internal::now() - s.started) : s.measured;
}

bool benchmark::loop_slow() {
  state& s = *state_;
  if (s.failed || s.skipped) return false;
  VOLE_REQUIRE(s.timer_on || s.loop_done, "{}: b.loop() with the timer stopped", s.name);
  VOLE_REQUIRE(!s.loop_done, "{}: b.loop() called again after it was false", s.name);
  flags const& options = s.owner->options();
  if (!s.loop_begun) {
    s.loop_begun = true;
    loop_turn_ = 1;
    loop_target_ = options.benchtime_n > 0 ? static_cast<std::uint64_t>(options.benchtime_n) : 1;
    n = 0;
    reset_timer();
    return true;
  }
  auto const done = static_cast<std::int64_t>(loop_target_);
  if (options.benchtime_n == 0 && done < iterations_max) {
    std::chrono::nanoseconds const so_far = elapsed();
    if (so_far < options.benchtime) {
      loop_target_ = static_cast<std::uint64_t>(predict_n(options.benchtime, done, so_far, done));
      ++loop_turn_;
      return true;
    }
  }
  stop_timer();
  n = done;
  s.loop_done = true;
  return false;
}

void benchmark::set_bytes(std::int64_t bytes) {
  state_->bytes = bytes;
}
void benchmark::report_allocs() {
  state_->show_allocs = true;
}

void benchmark::report_metric(double value, std::string_view unit) {
  VOLE_REQUIRE(!unit.empty(), "{}: a metric needs a unit", state_->name);
  auto const blank = [](unsigned char c) { return std::isspace(c) != 0; };
  VOLE_REQUIRE(std::none_of(unit.begin(), unit.end(), blank), "{}: unit '{}' holds a blank",
               state_->name, unit);
  state_->extra.insert_or_assign(std::string(unit), value);
}

bool benchmark::run(std::string_view sub, std::function<void(benchmark&)> body) {
  state_->has_sub = true;
  return state_->owner->run_sub(*this, sub, std::move(body));
}

void benchmark::set_parallelism(int goroutines_per_processor) {
  if (goroutines_per_processor >= 1) state_->parallelism = goroutines_per_processor;
}

bool benchmark::failed() const {
  return state_->failed;
}
std::string const& benchmark::name() const {
  return state_->name;
}

void benchmark::fail_with(std::string text) {
  log_line(std::move(text));
  state_->failed = true;
  loop_turn_ |= poison_bit;
}

void benchmark::skip_with(std::string text) {
  log_line(std::move(text));
  state_->skipped = true;
  loop_turn_ |= poison_bit;
}

void benchmark::log_line(std::string text) {
  state_->log.push_back(std::move(text));
}

// --- parallel ---

struct parallel::shared {
  std::uint64_t turns;
  std::uint64_t grain;
  internal::atomic<std::uint64_t> next_turn{0};
  internal::atomic<int> bodies_left;
  internal::park_ticket all_done;
};

bool parallel::refill() {
  // relaxed, no partner: only the count is shared; the bodies meet in run_parallel's ticket.
  std::uint64_t const first =
      common_->next_turn.fetch_add(common_->grain, internal::memory_order_relaxed);
  if (first >= common_->turns) return false;
  left_ = std::min(common_->grain, common_->turns - first);
  return true;
}

void benchmark::run_parallel(std::function<void(parallel&)> body) {
  state& s = *state_;
  if (n == 0) return;
  // So many iterations as take about 100 us: balances load, and the shared word is out of the
  // measure.
  std::uint64_t grain = 1;
  if (s.previous_n > 0 && s.previous_time.count() > 0) {
    grain = 100'000 * static_cast<std::uint64_t>(s.previous_n) /
            static_cast<std::uint64_t>(s.previous_time.count());
    grain = std::clamp<std::uint64_t>(grain, 1, 10'000);
  }
  int const bodies = s.parallelism * runtime::max_procs();
  parallel::shared common{.turns = static_cast<std::uint64_t>(n),
                          .grain = grain,
                          .next_turn{0},
                          .bodies_left{bodies},
                          .all_done{}};
  for (int i = 0; i < bodies; ++i) {
    go([&common, &body] {
      parallel turns(&common);
      body(turns);
      // The last one out wakes the benchmark; acq_rel pairs with itself: it has seen what all
      // others did.
      if (common.bodies_left.fetch_sub(1, internal::memory_order_acq_rel) == 1 &&
          common.all_done.try_claim()) {
        common.all_done.finish();
      }
    });
  }
  common.all_done.park(internal::wait_reason::wait_group_wait);
  // relaxed, no partner: the bodies have ended, the ticket has ordered them.
  std::uint64_t const taken = common.next_turn.load(internal::memory_order_relaxed);
  if (taken <= common.turns && !s.failed) {
    fail("run_parallel: a body returned before turns.next() was false");
  }
}

std::int64_t predict_n(std::chrono::nanoseconds goal, std::int64_t prev_n,
                       std::chrono::nanoseconds prev_time, std::int64_t last) {
  // In floating point: goal * prev_n may pass 2^63 for long goals.
  double const ns = std::max<double>(1, static_cast<double>(prev_time.count()));
  double const wanted = static_cast<double>(goal.count()) * static_cast<double>(prev_n) / ns * 1.2;
  double const bounded = std::min(wanted, static_cast<double>(100 * last));
  return std::min(std::max(static_cast<std::int64_t>(bounded), last + 1), iterations_max);
}

}  // namespace vole::bench
