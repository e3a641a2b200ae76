// SPDX-License-Identifier: Apache-2.0
#pragma once
// vole benchstat: statistical summaries and comparisons of benchmark results, as
// golang.org/x/perf/cmd/benchstat prints them. No shared state.

#include <string>
#include <vector>

namespace vole::benchstat {

struct outcome {
  int status = 0;
  std::string output;
  std::string errors;
};

// run does what the command line asks for and reads the files it names ("-": stdin).
// As in benchstat the status is 0 even when a file could not be read; 2 for a wrong flag.
outcome run(std::vector<std::string> const& arguments);

}  // namespace vole::benchstat
