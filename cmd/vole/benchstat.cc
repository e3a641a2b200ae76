// SPDX-License-Identifier: Apache-2.0
// vole benchstat. No shared state.

#include <CLI/CLI.hpp>
#include <cstdio>

#include "vole/internal/format.h"

#include "bench/stat.h"
#include "commands.h"

namespace vole::cmd {

void add_benchstat(CLI::App& vole, int& status) {
  CLI::App* command = vole.add_subcommand(
      "benchstat", "summarize and compare benchmark results (see vole benchstat -help)");
  // The flags are Go's, which CLI11 does not read.
  command->set_help_flag();
  command->prefix_command();
  command->callback([command, &status] {
    auto const done = benchstat::run(command->remaining());
    fmt::print(stdout, "{}", done.output);
    fmt::print(stderr, "{}", done.errors);
    status = done.status;
  });
}

}  // namespace vole::cmd
