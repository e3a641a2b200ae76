// SPDX-License-Identifier: Apache-2.0
//
// benchmark: its clock, its loop, what it says.
//
// INVARIANTS
//   - measured holds what was timed up to the last stop; the open stretch begins at started.
//   - hidden holds what stopped timers have left out since the round began, and what resets have
//     thrown away since the first one: what comes before that is set-up.
// LOCKS none: only what was said is shared, and that has its own (remarks.h).
// Source: Go testing/benchmark.go. Differs: stop_timer stops no world; a body cannot be left from
//   inside loop(), so after fatal() the loop ends instead.

#include <algorithm>
#include <cctype>
#include <utility>

#include "vole/assert.h"
#include "vole/bench.h"
#include "vole/runtime.h"

#include "bench/callgrind.h"
#include "bench/runner.h"
#include "bench/state.h"

namespace vole::bench {

std::int64_t benchmark::asked_n(benchmark_state const& s) {
  return s.n;
}
void benchmark::leave(benchmark_state& s, bool read_n) {
  s.read_n |= read_n;
}

// The clock is read, and callgrind asked, last here and first in stop_timer: the rest is not in the
// measure.
bool benchmark::start(benchmark_state& s) {
  bool const goes_on = !s.said.ended();
  if (s.timer_on) return goes_on;
  s.timer_on = true;
  s.blocks_at_start = internal::malloc_count::read();
  if (s.counted != nullptr) s.counts_at_start = s.counted->read();
  s.started = internal::monotonic_now();
  s.hidden += s.started - s.stopped;
  if (s.options->in_valgrind()) callgrind::toggle();
  return goes_on;
}

void benchmark::stop(benchmark_state& s) {
  if (!s.timer_on) return;
  if (s.options->in_valgrind()) callgrind::toggle();
  s.stopped = internal::monotonic_now();
  s.measured += s.stopped - s.started;
  ++s.stretches;
  internal::malloc_count::totals const blocks = internal::malloc_count::read();
  s.blocks_measured.blocks += blocks.blocks - s.blocks_at_start.blocks;
  s.blocks_measured.bytes += blocks.bytes - s.blocks_at_start.bytes;
  if (s.counted != nullptr) {
    counters::values const more = s.counted->between(s.counts_at_start, s.counted->read());
    for (std::size_t i = 0; i < more.size(); ++i) s.counts_measured[i] += more[i];
  }
  s.timer_on = false;
}

void benchmark_state::clear_measure() {
  extra.clear();
  measured = {};
  stretches = 0;
  blocks_measured = {};
  counts_measured = {};
  if (options->in_valgrind()) callgrind::forget();
  if (!timer_on) return;
  blocks_at_start = internal::malloc_count::read();
  if (counted != nullptr) counts_at_start = counted->read();
  started = internal::monotonic_now();
}

void benchmark::reset(benchmark_state& s) {
  bool const in_loop = s.loop_begun && !s.loop_done;
  bool const first = s.resets++ == 0;
  s.reset_within |= in_loop || !first;
  if (first && !in_loop) {
    s.hidden = {};
  } else {
    s.hidden += measured(s);
  }
  s.clear_measure();
}

std::chrono::nanoseconds benchmark::measured(benchmark_state const& s) {
  return s.timer_on ? s.measured + (internal::monotonic_now() - s.started) : s.measured;
}

benchmark::timer_pause::timer_pause(benchmark_state& of) : paused(of), was_on(of.timer_on) {
  stop(paused);
}
benchmark::timer_pause::~timer_pause() {
  if (was_on) start(paused);
}

namespace {

// next_target is the turn at which the loop asks again; 0 when the time is used up.
std::int64_t next_target(benchmark_state& s, std::chrono::nanoseconds so_far) {
  flags const& options = *s.options;
  std::int64_t const done = s.n;
  if (options.benchtime_n > 0 || done >= iterations_max || so_far >= options.benchtime) return 0;
  if (s.hidden >= hidden_max(options.benchtime)) {
    s.out_of_patience = true;
    return 0;
  }
  double const hidden_per_turn = static_cast<double>(s.hidden.count()) / static_cast<double>(done);
  std::int64_t const patient = patient_n(options.benchtime, hidden_per_turn);
  return std::clamp(predict_n(options.benchtime, done, so_far, done), done + 1,
                    std::max(done + 1, patient));
}

}  // namespace

benchmark::stretch benchmark::next_stretch(benchmark_state& s, std::uint64_t turn) {
  if (s.said.ended()) return {0, s.n};
  bool const stopped = !s.timer_on || (turn & poison_bit) != 0;
  if (s.loop_done || stopped) {
    add_failure(s, s.loop_done ? "b.loop() was called again after it was false"
                               : "b.loop() was called with the timer stopped");
    end(s);
    return {0, s.n};
  }
  if (!s.loop_begun) {
    s.loop_begun = true;
    s.goroutine = runtime::goroutine_id();
    s.n = std::max<std::int64_t>(s.options->benchtime_n, 1);
    s.hidden = {};
    s.clear_measure();
    return {static_cast<std::uint64_t>(s.n), 0};
  }
  if (std::int64_t const target = next_target(s, measured(s)); target > 0) {
    s.n = target;
    return {static_cast<std::uint64_t>(target), 0};
  }
  stop(s);
  s.loop_done = true;
  return {0, s.n};
}

void benchmark::set_bytes(benchmark_state& s, std::int64_t bytes) {
  s.bytes = bytes;
}
void benchmark::show_allocs(benchmark_state& s) {
  s.show_allocs = true;
}

void benchmark::add_metric(benchmark_state& s, double value, std::string_view unit) {
  VOLE_REQUIRE(!unit.empty(), "{}: a metric needs a unit", s.name);
  auto const blank = [](unsigned char c) { return std::isspace(c) != 0; };
  VOLE_REQUIRE(std::none_of(unit.begin(), unit.end(), blank), "{}: unit '{}' holds a blank", s.name,
               unit);
  s.extra.insert_or_assign(std::string(unit), value);
}

std::shared_ptr<void>& benchmark::next_once(benchmark_state& s) {
  std::size_t const index = s.next_once++;
  if (index == s.kept->size()) s.kept->emplace_back();
  return (*s.kept)[index];
}

void benchmark::add_cleanup(benchmark_state& s, std::function<void()> fn) {
  s.cleanups.push_back(std::move(fn));
}

bool benchmark::run_sub(benchmark_state& s, std::string_view sub,
                        std::function<void(benchmark_state&)> body) {
  s.has_sub = true;
  return s.owner->run_sub(s, sub, std::move(body));
}

bool benchmark::failed(benchmark_state const& s) {
  return s.said.failed();
}
std::string const& benchmark::name(benchmark_state const& s) {
  return s.name;
}

namespace {

bool loops_here(benchmark_state const& s) {
  return runtime::goroutine_id() == s.goroutine;
}

}  // namespace

void benchmark::add_failure(benchmark_state& s, std::string text) {
  add_log(s, std::move(text));
  s.said.fail();
}

bool benchmark::end(benchmark_state& s) {
  s.said.end();
  return loops_here(s);
}

void benchmark::add_skip(benchmark_state& s, std::string text) {
  s.said.skip(std::move(text));
}

// The timer is the looping goroutine's: others speak while it runs.
void benchmark::add_log(benchmark_state& s, std::string text) {
  if (!loops_here(s)) return s.said.log(std::move(text));
  timer_pause const pause(s);
  s.said.log(std::move(text));
}

std::int64_t predict_n(std::chrono::nanoseconds goal, std::int64_t prev_n,
                       std::chrono::nanoseconds prev_time, std::int64_t last) {
  // In floating point: goal * prev_n may pass 2^63 for long goals.
  double const ns = std::max<double>(1, static_cast<double>(prev_time.count()));
  double const wanted = static_cast<double>(goal.count()) * static_cast<double>(prev_n) / ns * 1.2;
  double const bounded = std::min(wanted, static_cast<double>(100 * last));
  return std::min(std::max(static_cast<std::int64_t>(bounded), last + 1), iterations_max);
}

std::int64_t patient_n(std::chrono::nanoseconds benchtime, double hidden_ns_per_turn) {
  double const most = static_cast<double>(hidden_max(benchtime).count());
  if (hidden_ns_per_turn * static_cast<double>(iterations_max) <= most) return iterations_max;
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(most / hidden_ns_per_turn));
}

}  // namespace vole::bench
