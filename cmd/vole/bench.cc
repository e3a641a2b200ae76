// SPDX-License-Identifier: Apache-2.0
// vole bench run, and vole benchstat. No shared state.

#include <cerrno>
#include <cstdio>
#include <string>
#include <unistd.h>
#include <vector>

#include "vole/internal/format.h"

#include "base/sys_error.h"
#include "bench/output.h"
#include "bench/stat.h"
#include "commands.h"

namespace vole::cmd {

int bench_run(std::vector<std::string> words) {
  constexpr int usage_status = 2;
  if (words.empty()) {
    fmt::print(stderr, "vole bench run: name the benchmark program to run\n");
    return usage_status;
  }
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  ::execvp(argv.front(), argv.data());
  fmt::print(stderr, "vole bench run: start '{}': {}\n", words.front(),
             internal::sys_error_text(errno));
  return usage_status;
}

int benchstat(std::vector<std::string> const& words) {
  constexpr int lost_status = 1;
  auto const done = vole::benchstat::run(words);
  error const lost = bench::write_out(stdout, done.output);
  static_cast<void>(bench::write_out(stderr, done.errors));
  if (!lost) return done.status;
  fmt::print(stderr, "vole benchstat: write the results to standard output: {}\n", lost);
  return lost_status;
}

}  // namespace vole::cmd
