// SPDX-License-Identifier: Apache-2.0
#pragma once
// Processes that a benchmark program starts of itself: one for each benchmark and value of -cpu,
// since a runtime keeps its number of processors for life; one under callgrind. No shared state.

#include <string>
#include <vector>

#include "bench/flags.h"
#include "bench/runner.h"
#include "bench/sink.h"

namespace vole::bench {

// run_for_each_cpu measures the entries with each number of processors, prints what the children
// print and says on log how throughput grows. Returns the exit status.
int run_for_each_cpu(flags const& options, std::vector<registration const*> const& entries,
                     sink& out, std::FILE* log);

// run_under_callgrind runs this program again with the same flags under valgrind. Returns the exit
// status.
int run_under_callgrind(flags const& options, sink& out, std::FILE* log);

}  // namespace vole::bench
