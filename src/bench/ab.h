// SPDX-License-Identifier: Apache-2.0
#pragma once
// vole bench ab: compares two programs' benchmarks on one machine, and says what is known of the
// difference. No shared state.

#include <chrono>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "bench/ab_programs.h"
#include "bench/ab_stat.h"

namespace vole::ab {

struct options {
  origin older{"old", {}};
  origin newer{"new", {}};
  build how;
  std::string bench = ".";
  std::vector<std::string> program_flags;
  std::chrono::nanoseconds time = std::chrono::seconds(20);  // for each benchmark
  std::chrono::nanoseconds slice = std::chrono::milliseconds(20);
  bool keeps_disturbed = false;  // slices that others disturbed count too
  limits by;
  std::string folder = "vole-ab";  // for the results as benchstat reads them; empty: none
  std::uint64_t seed = 1;
};

// parse_options reads the command line; else the text to print, and the status to end with.
struct usage_end {
  int status;
  std::string text;
};
std::variant<options, usage_end> parse_options(std::vector<std::string> const& arguments);

// run compares and prints: results to stdout, progress to stderr where that is a terminal. The
// status is 0; 1 when a gate is set and a slowdown beyond it is proven; else 3 when a gate is set
// and the new program has no result for a benchmark of the old one; else 2 when something could not
// be compared, or its result not be written.
int run(std::vector<std::string> const& arguments);

}  // namespace vole::ab
