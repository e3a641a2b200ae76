// SPDX-License-Identifier: Apache-2.0
// vole bench: `run` starts a benchmark program, `ab` compares two.
// No shared state.

#include <CLI/CLI.hpp>
#include <cerrno>
#include <string>
#include <unistd.h>
#include <vector>

#include "vole/internal/format.h"

#include "base/sys_error.h"
#include "bench/ab.h"
#include "commands.h"

namespace vole::cmd {
namespace {

// become replaces this process by the program. It returns only when that failed: the exit status.
int become(std::vector<std::string> words) {
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  ::execvp(argv.front(), argv.data());
  fmt::print(stderr, "vole bench run: start '{}': {}\n", words.front(),
             internal::sys_error_text(errno));
  return 2;
}

}  // namespace

void add_bench(CLI::App& vole, int& status) {
  CLI::App* bench = vole.add_subcommand("bench", "run and compare benchmark programs");
  bench->require_subcommand(1);
  CLI::App* run = bench->add_subcommand(
      "run", "run PROGRAM, a benchmark program, with the flags that follow it (see PROGRAM -help)");
  run->prefix_command();
  run->callback([run, &status] {
    if (run->remaining().empty()) {
      fmt::print(stderr, "vole bench run: name the benchmark program to run\n");
      status = 2;
      return;
    }
    status = become(run->remaining());
  });
  CLI::App* compare = bench->add_subcommand(
      "ab", "compare two programs, or two git revisions, in turn (see vole bench ab -help)");
  // The flags are Go's, which CLI11 does not read.
  compare->set_help_flag();
  compare->prefix_command();
  compare->callback([compare, &status] { status = ab::run(compare->remaining()); });
}

}  // namespace vole::cmd
