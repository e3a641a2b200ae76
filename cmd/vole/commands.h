// SPDX-License-Identifier: Apache-2.0
#pragma once
// The sub-commands of vole. Each add_* puts one on the command line; when the user names it, its
// callback does the work and leaves the exit status in `status`. No shared state.

#include <CLI/App.hpp>

namespace vole::cmd {

// bench: runs and compares benchmark programs.
void add_bench(CLI::App& vole, int& status);

// benchstat: summarizes and compares results, as golang.org/x/perf/cmd/benchstat does.
void add_benchstat(CLI::App& vole, int& status);

// pprof: prints a profile, or draws it.
void add_pprof(CLI::App& vole, int& status);

}  // namespace vole::cmd
