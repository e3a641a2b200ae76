// SPDX-License-Identifier: Apache-2.0
#pragma once
// The commands of vole. Each takes the words that follow its name and returns the exit status.
// No shared state.

#include <string>
#include <vector>

namespace vole::cmd {

// bench run: becomes the benchmark program that the first word names.
int bench_run(std::vector<std::string> words);

// benchstat: summarizes and compares results, as golang.org/x/perf/cmd/benchstat does.
int benchstat(std::vector<std::string> const& words);

// pprof: prints a profile, or draws it.
int pprof(std::vector<std::string> words);

}  // namespace vole::cmd
