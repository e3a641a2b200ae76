// SPDX-License-Identifier: Apache-2.0
#pragma once
// The programs of a comparison: where they come from, what benchmarks they have, and how one of
// them is run. No shared state.
//
// INVARIANTS
//   - What runs are copies: a build that goes on meanwhile changes nothing, and the old program and
//     its A/A twin are different files. Their paths are equally long, and argv[0] is the same,
//     since both move the stack.
//   - The copies, and the worktrees of revisions, go when the workshop does.

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vole/result.h"

#include "bench/ab_plan.h"
#include "bench/ab_slice.h"

namespace vole::ab {

// Where a side comes from: a program, or a git revision when there is a build command.
struct origin {
  std::string side;  // "old" or "new"
  std::string name;  // as the user wrote it
};

struct build {
  std::string command;  // for the shell, in the revision's folder; empty: origins are programs
  std::string program;  // what it builds, from that folder
};

class workshop {
 public:
  // open gets the programs ready.
  // Errors: a program that is none, git or the build fails; the text has the last lines it wrote.
  static result<std::unique_ptr<workshop>> open(origin const& older, origin const& newer,
                                                build const& how, meter& with);
  workshop(workshop const&) = delete;
  workshop& operator=(workshop const&) = delete;
  ~workshop();

  std::string const& path(arm of) const { return paths_[static_cast<std::size_t>(of)]; }
  std::string const& folder() const { return folder_; }
  // argv0 is how all of them are called.
  std::string const& argv0() const { return argv0_; }

 private:
  explicit workshop(meter& with) : meter_(with) {}
  error set_up(origin const& older, origin const& newer, build const& how);
  result<std::string> check_out(origin const& from, build const& how);
  error copy(std::string const& from, arm to);

  meter& meter_;
  std::string folder_;
  std::string argv0_;
  std::vector<std::string> worktrees_;
  std::array<std::string, arms> paths_;
};

// One benchmark's result in a program's output.
struct reported {
  std::string name;    // "Work/n=1-2"
  std::string plain;   // "Work/n=1" where it is known; else as name
  bool known = false;  // the program named it so when it began (-v)
  std::int64_t iterations = 0;
  double seconds_per_op = 0;
  std::string line;  // as it was printed
};
// A benchmark that has no result, and the reason.
struct failure {
  std::string name;
  std::string why;
};
struct report {
  std::string labels;  // goos, goarch, pkg, cpu
  std::vector<reported> results;
  std::vector<failure> failures;
  std::vector<std::string> skipped;   // names of those that skip themselves
  std::vector<std::string> timeless;  // of those that report other things than a time
};
// is_part_of: plain is that benchmark, or a sub-benchmark of it.
bool is_part_of(std::string_view plain, std::string_view whole);
// names says whether a list has this benchmark, or one that it is a part of.
bool names(std::vector<std::string> const& list, std::string_view plain);
// read_report reads what a program printed to standard output and, for the reasons, to standard
// error.
// Errors: no result, no failure and nothing skipped; names what is missing.
result<report> read_report(std::string_view output, std::string_view complaints = {});

class bench_programs {
 public:
  // extra are flags for the programs.
  bench_programs(workshop const& in, meter& with, std::vector<std::string> extra)
      : in_(in), meter_(with), extra_(std::move(extra)) {}

  // discover runs each benchmark that the pattern names once; those that fail, hang or take their
  // process down are among the failures.
  result<report> discover(arm of, std::string const& pattern);
  // seconds_per_op measures one benchmark for so long.
  result<double> seconds_per_op(arm of, reported const& which, std::chrono::nanoseconds at_least);
  // measure runs one benchmark so often.
  struct measured {
    reported what;
    disturbance disturbed;
  };
  result<measured> measure(arm of, reported const& which, std::int64_t iterations);
  // profile runs one benchmark so often with -cpuprofile, and returns the profile's file.
  result<std::string> profile(arm of, reported const& which, std::int64_t iterations);

 private:
  result<ended> start(arm of, std::vector<std::string> const& flags);
  result<ended> run(arm of, std::vector<std::string> const& flags);
  result<report> discover_apart(arm of, std::string const& pattern);
  result<reported> run_one(arm of, reported const& which, std::vector<std::string> flags,
                           disturbance* disturbed);

  workshop const& in_;
  meter& meter_;
  std::vector<std::string> extra_;
};

// pattern_for is the -bench pattern that names one benchmark and no other.
std::string pattern_for(std::string_view name);
// pattern_for of a result names its benchmark; where "-2" may be the number of processors or a part
// of the name, either.
std::string pattern_for(reported const& which);

}  // namespace vole::ab
