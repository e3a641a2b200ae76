// SPDX-License-Identifier: Apache-2.0
#pragma once
// The command line of a benchmark program: Go's flags of `go test -bench`. No shared state.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vole/result.h"

namespace vole::bench {

struct flags {
  std::string bench = ".";  // regular expressions, one per level, divided by '/'; empty: none
  std::string skip;         // what matches is left out
  std::string list;         // when set: print the names that match it, run nothing
  std::string run;          // of `go test`: which tests; there are none
  std::chrono::nanoseconds benchtime = std::chrono::seconds(1);
  std::int64_t benchtime_n = 0;         // > 0: exactly so many iterations
  bool benchtime_given = false;         // as a time
  int count = 1;                        // 0: measure nothing
  std::vector<int> cpus;                // empty: as many as the runtime finds
  std::chrono::nanoseconds timeout{0};  // 0: none
  std::optional<std::uint64_t> shuffle_seed;
  bool benchmem = false;
  bool counters = false;
  bool callgrind = false;
  bool json = false;
  bool verbose = false;
  bool test2json = false;  // -v=test2json: lines that are no result begin with Go's mark
  bool help = false;

  // Files and a folder, relative to output_dir; empty: none.
  std::string output_dir;
  std::string cpu_profile;
  std::string mem_profile;
  std::string block_profile;
  std::string mutex_profile;
  std::string profile_each;           // a folder
  std::int64_t mem_profile_rate = 0;  // bytes between two samples; 0: as it is
  std::int64_t block_profile_rate = 1;
  std::int64_t mutex_profile_fraction = 1;

  // Set by the program itself.
  bool progress = false;  // standard error is a terminal
  // Set by a parent that runs one process per benchmark and -cpu value, or under callgrind.
  std::string child_of;  // run the benchmark of this very name only, and print results only
  bool child_labels = false;
  int child_name_width = 0;
  std::string callgrind_dir;  // this process runs under callgrind, which writes there

  bool once() const { return benchtime_n == 1; }
  bool in_valgrind() const { return !callgrind_dir.empty(); }
};

// parse_flags reads -name=value, -name value and --name; the flags may carry Go's prefix "test.".
// What follows "--" is left to the benchmarks.
// Errors: unknown flag, missing or wrong value, flags that do not go together; the text names the
// flag.
result<flags> parse_flags(std::vector<std::string_view> const& args);

// parse_duration reads Go's form: "1.5s", "1m30s", "100ms".
result<std::chrono::nanoseconds> parse_duration(std::string_view text);

std::string_view usage();

}  // namespace vole::bench
