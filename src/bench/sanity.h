// SPDX-License-Identifier: Apache-2.0
#pragma once
// Whether a figure can be true: what the clock and an empty turn cost on this machine, and what
// follows for a measurement. The costs are measured once, when first asked for.

#include <chrono>
#include <cstdint>
#include <string>

namespace vole::bench {

// clock_cost_ns is what one reading of the clock takes.
double clock_cost_ns();
// cycle_ns is one cycle of the processor at its present pace.
double cycle_ns();
// empty_turn_ns is one turn of `while (b.loop()) {}`.
double empty_turn_ns();

struct timing {
  std::int64_t n = 0;
  std::chrono::nanoseconds time{0};
  std::int64_t stretches = 1;  // between a start and a stop of the timer
  bool used_loop = false;
  int bodies = 1;  // that shared the work
};

// doubt says in one sentence why the figure means nothing; empty when nothing speaks against it.
std::string doubt(timing const& t);

}  // namespace vole::bench
