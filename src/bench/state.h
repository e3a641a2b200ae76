// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a benchmark keeps between its calls. One goroutine's; no shared state.

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "vole/bench.h"
#include "vole/internal/clock.h"

#include "bench/result.h"
#include "runtime/malloc_count.h"

namespace vole::bench {

class runner;

struct benchmark::state {
  // Fixed from the start.
  runner* owner = nullptr;  // outlives the benchmark
  std::string name;         // "BenchmarkChanSend/size=1"
  std::function<void(benchmark&)> body;

  // The clock and the allocation counters.
  bool timer_on = false;
  time_point started;
  std::chrono::nanoseconds measured{0};
  internal::malloc_count::totals blocks_at_start;
  internal::malloc_count::totals blocks_measured;

  // What the body said.
  std::int64_t bytes = 0;
  bool show_allocs = false;
  int parallelism = 1;
  std::map<std::string, double> extra;
  std::vector<std::string> log;
  bool failed = false;
  bool skipped = false;
  bool has_sub = false;
  bool loop_begun = false;
  bool loop_done = false;

  // The round before, for run_parallel's grain.
  std::int64_t previous_n = 0;
  std::chrono::nanoseconds previous_time{0};

  std::map<std::string, int> sub_names;  // how often each was used
};

// predict_n says how many iterations will take goal, when prev_n took prev_time and the last round
// had last of them.
std::int64_t predict_n(std::chrono::nanoseconds goal, std::int64_t prev_n,
                       std::chrono::nanoseconds prev_time, std::int64_t last);

inline constexpr std::int64_t iterations_max = 1'000'000'000;

}  // namespace vole::bench
