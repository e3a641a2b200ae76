// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a benchmark keeps between its calls. One goroutine's, but for what was said.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "vole/bench.h"
#include "vole/errors.h"
#include "vole/internal/clock.h"

#include "bench/counters.h"
#include "bench/flags.h"
#include "bench/match.h"
#include "bench/profiles.h"
#include "bench/remarks.h"
#include "runtime/malloc_count.h"

namespace vole::bench {

class runner;

// round_state is what one call of the body leaves behind; run_n begins each with a fresh one.
struct round_state {
  std::int64_t bytes = 0;
  bool show_allocs = false;
  int parallelism = 1;
  int parallel_bodies = 1;
  bool loop_begun = false;
  bool loop_done = false;
  bool read_n = false;           // the body asked how many iterations to do
  int resets = 0;                // of the timer, by the body
  bool reset_within = false;     // what was forgotten belongs to iterations that are counted
  bool out_of_patience = false;  // the stopped timer has used up what it may
  std::string below_clock = {};  // units that run_parallel left out: "p50-ns/op, p99-ns/op"
  std::size_t next_once = 0;     // index into kept
  std::vector<std::function<void()>> cleanups = {};
};

struct benchmark_state : round_state {
  // Fixed from the start.
  runner* owner = nullptr;  // outlives the benchmark
  flags const* options = nullptr;
  counters* counted = nullptr;  // null: not asked for
  std::string name;             // "BenchmarkChanSend/size=1"
  std::function<void(benchmark_state&)> body;

  std::int64_t n = 0;           // what is asked for, then what was done
  std::uint64_t goroutine = 0;  // that runs the body; once there is one, the loop

  // The runner's doors to the members of benchmark that take a state.
  void start_timer() { benchmark::start(*this); }
  void stop_timer() { benchmark::stop(*this); }
  void fail(std::string text) { benchmark::add_failure(*this, std::move(text)); }
  bool run_bodies(std::int64_t turns, std::function<void(parallel&)> const& run_body);
  // clear_measure begins to measure anew.
  void clear_measure();

  // The clock and the counters.
  bool timer_on = false;
  time_point started;
  time_point stopped;
  std::chrono::nanoseconds measured{0};
  std::chrono::nanoseconds hidden{0};  // what stopped timers left out, and resets
  std::int64_t stretches = 0;
  internal::malloc_count::totals blocks_at_start;
  internal::malloc_count::totals blocks_measured;
  counters::readings counts_at_start{};
  counters::values counts_measured{};
  std::uint64_t instructions = 0;  // under callgrind

  // What the body said, over all rounds.
  std::map<std::string, double> extra;
  remarks said;
  bool has_sub = false;

  // The round before, for run_parallel's grain and for the growth of n.
  std::int64_t previous_n = 0;
  std::chrono::nanoseconds previous_time{0};

  unique_names sub_names;
  // From before the first call of the body, which may be the only one, until it turns out to have
  // sub-benchmarks.
  std::optional<benchmark_profiles> profiles;
  // Made by once(); shared with the repetitions of -count.
  std::shared_ptr<std::vector<std::shared_ptr<void>>> kept;
};

// caught calls fn, and returns the exception that left it as an error.
template <class Fn>
error caught(Fn&& fn) {
  try {
    fn();
  } catch (...) {
    return errors::from_exception();
  }
  return {};
}

// predict_n says how many iterations will take goal, when prev_n took prev_time and the last round
// had last of them.
std::int64_t predict_n(std::chrono::nanoseconds goal, std::int64_t prev_n,
                       std::chrono::nanoseconds prev_time, std::int64_t last);

inline constexpr std::int64_t iterations_max = 1'000'000'000;

// hidden_max is how long stopped timers may hold up a measurement of benchtime.
constexpr std::chrono::nanoseconds hidden_max(std::chrono::nanoseconds benchtime) {
  return benchtime > std::chrono::hours(1) ? std::chrono::hours(3) : 3 * benchtime;
}

// patient_n is how many iterations may be made until hidden_max, when one hides so much. At least
// 1.
std::int64_t patient_n(std::chrono::nanoseconds benchtime, double hidden_ns_per_turn);

}  // namespace vole::bench
