// SPDX-License-Identifier: Apache-2.0
#pragma once
// Runs the benchmarks of a program and prints them. One goroutine's; no shared state.

#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "vole/bench.h"

#include "bench/flags.h"
#include "bench/match.h"
#include "bench/result.h"

namespace vole::bench {

// registered lists the program's benchmarks in the order in which they were made.
std::vector<registration const*> registered();

// matching keeps those that the pattern names, wholly or for their sub-benchmarks.
std::vector<registration const*> matching(pattern const& which);

// name_width is the width of the column of names, when procs processors is the most that is used.
int name_width(std::vector<registration const*> const& entries, int procs);

class runner {
 public:
  // out takes the results, log what benchmarks say; both stay the caller's. package is printed as
  // pkg:.
  runner(flags options, pattern which, std::string package, std::FILE* out, std::FILE* log);

  // run measures entries, which match. Returns false when one failed.
  bool run(std::vector<registration const*> const& entries);

  // run_sub measures one sub-benchmark of parent; for benchmark::run.
  bool run_sub(benchmark& parent, std::string_view sub, std::function<void(benchmark&)> body);

  flags const& options() const { return options_; }

 private:
  using handle = std::unique_ptr<benchmark>;

  handle make(std::string name, std::function<void(benchmark&)> body);
  bool run_one(std::string name, std::function<void(benchmark&)> body, bool only_subs);
  bool run_measured(handle first);
  void run_n(benchmark& b, std::int64_t n);
  void grow(benchmark& b);
  void print_labels();
  void print_log(benchmark const& b);
  void print(std::string const& text);

  flags options_;
  pattern which_;
  std::string package_;
  std::FILE* out_;
  std::FILE* log_;
  int procs_;
  int name_width_;
  bool labels_printed_;
};

// process_cpu_name is what the kernel calls the processor; empty when it does not say.
std::string process_cpu_name();

}  // namespace vole::bench
