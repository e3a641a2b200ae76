// SPDX-License-Identifier: Apache-2.0
#pragma once
// Runs the benchmarks of a program and prints them. One goroutine's; no shared state.

#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vole/bench.h"

#include "bench/counters.h"
#include "bench/flags.h"
#include "bench/growth.h"
#include "bench/match.h"
#include "bench/progress.h"
#include "bench/result.h"
#include "bench/sink.h"

namespace vole::bench {

// check_names refuses two benchmarks of one name: one could not be told from the other in results.
// Errors: names both places.
error check_names(std::vector<registration const*> const& entries);

// registered lists the program's benchmarks in the order in which they were made.
std::vector<registration const*> registered();

// selection says which benchmarks are wanted.
struct selection {
  pattern wanted;
  std::optional<pattern> skipped;

  // match holds a whole name, "ChanSend/size=1", against both.
  match_kind match(std::string_view name) const;
};

// matching keeps those of the program's that are wanted, wholly or for their sub-benchmarks.
std::vector<registration const*> matching(selection const& which);

// name_width is the width of the column of names, when procs processors is the most that is used.
int name_width(std::vector<registration const*> const& entries, int procs);

class runner {
 public:
  // out takes the results, log what else there is to say; both stay the caller's. package is
  // printed as pkg:.
  runner(flags options, selection which, std::string package, sink& out, std::FILE* log);

  // run measures entries, which match. Returns false when one failed, or results are lost: then it
  // measures no more.
  bool run(std::vector<registration const*> const& entries);

  // run_sub measures one sub-benchmark of parent; for benchmark::run.
  bool run_sub(benchmark_state& parent, std::string_view sub,
               std::function<void(benchmark_state&)> body);

 private:
  using handle = std::unique_ptr<benchmark_state>;

  handle make(std::string name, std::function<void(benchmark_state&)> body);
  handle make_again(benchmark_state const& b);
  bool run_one(std::string name, std::function<void(benchmark_state&)> body, bool only_subs);
  bool run_measured(handle first);
  bool run_round(benchmark_state& b, std::string const& full);
  void run_n(benchmark_state& b, std::int64_t n);
  void grow(benchmark_state& b);
  void count_instructions(benchmark_state& b);
  measurement measured(benchmark_state const& b) const;
  std::string line_of(benchmark_state const& b, measurement const& m) const;
  void voice_doubts(benchmark_state const& b, std::string const& full);
  // growth_so_far is what the sizes measured so far of the benchmark under way say.
  std::string growth_so_far() const;
  void fit_growth();
  void print_name(std::string const& name);
  void print_skip(benchmark_state const& b, std::string const& full);
  void calibrate_counters();
  // mark begins lines for `go tool test2json`.
  std::string_view mark() const { return options_.test2json && !options_.json ? "\x16" : ""; }
  void print_labels();
  void print_log(benchmark_state const& b, std::string const& full);
  void print_failure(benchmark_state const& b, std::string const& full);
  void note(std::string_view text);
  void print(std::string const& text);
  bool prints_name_first() const { return !options_.verbose && !options_.progress; }

  flags options_;
  selection which_;
  std::string package_;
  sink& out_;
  std::FILE* log_;
  int procs_;
  std::size_t name_width_;
  bool labels_printed_;
  counters counters_;
  std::unique_ptr<progress> progress_;
  std::map<std::string, std::vector<point>> families_;  // of the benchmark that runs
  int callgrind_serial_ = 0;
  bool grain_said_ = false;  // that percentiles below the clock's grain are left out
};

// process_cpu_name is what the kernel calls the processor; empty when it does not say.
std::string process_cpu_name();

}  // namespace vole::bench
