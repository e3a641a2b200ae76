// SPDX-License-Identifier: Apache-2.0
#pragma once
// The profiles that a run writes: -cpuprofile and its kin, -profile-each. One goroutine's; no
// shared state.

#include <optional>
#include <string>
#include <string_view>

#include "vole/pprof.h"
#include "vole/result.h"

#include "bench/flags.h"

namespace vole::bench {

// run_profiles are those of the whole run.
class run_profiles {
 public:
  explicit run_profiles(flags const& options) : options_(options) {}
  // start begins the captures. Errors: this vole has no such profile; a file that could not be
  // written in the end.
  error start();
  // finish writes the files.
  error finish();

 private:
  error write_named(std::string_view profile, std::string const& file) const;

  flags const& options_;
  std::optional<pprof::cpu_profile> cpu_;
};

// benchmark_profiles are those of one benchmark, in the folder of -profile-each; none without that.
// Dropped before finish, they leave no file.
class benchmark_profiles {
 public:
  benchmark_profiles(flags const& options, std::string_view full_name);
  error start();
  error finish();

 private:
  std::string stem_;  // folder/BenchmarkX_n=1-2; empty: nothing to do
  std::optional<pprof::cpu_profile> cpu_;
  std::optional<pprof::delta> allocs_;
};

// output_path is where a file or folder goes that a flag names: into -outputdir, unless its path is
// absolute.
std::string output_path(flags const& options, std::string const& file);

// file_stem makes a file name of a benchmark's, another for each: '/' becomes '_', and '_' "%5F".
std::string file_stem(std::string_view full_name);

}  // namespace vole::bench
