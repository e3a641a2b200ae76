// SPDX-License-Identifier: Apache-2.0
#pragma once
// For tests: runs benchmarks of the test program itself. No shared state.

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vole/runtime.h"

#include "bench/flags.h"
#include "bench/match.h"
#include "bench/result.h"
#include "bench/runner.h"
#include "bench/sink.h"

namespace vole::bench {

// outcome is what a run printed.
struct outcome {
  std::string out;
  std::string log;
  bool good = false;
};

// run measures the benchmarks of the test program that these flags name.
inline outcome run(std::vector<std::string_view> const& args) {
  flags const options = *parse_flags(args);
  selection const which{*pattern::parse(options.bench), std::nullopt};
  char* text[2] = {};
  std::size_t size[2] = {};
  std::FILE* const out = open_memstream(&text[0], &size[0]);
  std::FILE* const log = open_memstream(&text[1], &size[1]);
  outcome seen;
  sink results(out, options.json, "some/pkg");
  seen.good = runner(options, which, "some/pkg", results, log).run(matching(which));
  std::fclose(out);
  std::fclose(log);
  seen.out = text[0];
  seen.log = text[1];
  std::free(text[0]);
  std::free(text[1]);
  return seen;
}

inline std::string procs_suffix() {
  return full_name("", runtime::max_procs());
}

}  // namespace vole::bench
