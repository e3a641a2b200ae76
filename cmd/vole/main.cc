// SPDX-License-Identifier: Apache-2.0
//
// vole: the command line tool. Says which command was meant and hands over to it.
//
// Exit status: of the command; 2 when the command line is wrong.
// No shared state.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "vole/internal/format.h"

#include "commands.h"

namespace vole::cmd {
namespace {

constexpr int usage_status = 2;

int run(int argc, char** argv) {
  CLI::App vole("Go's production habits for C++ services, on the command line", "vole");
  vole.require_subcommand(0, 1);
  vole.allow_extras();
  int status = 0;
  add_bench(vole, status);
  add_benchstat(vole, status);
  add_pprof(vole, status);
  try {
    vole.parse(argc, argv);
  } catch (CLI::CallForHelp const& asked) {
    return vole.exit(asked);
  } catch (CLI::ParseError const& wrong) {
    fmt::print(stderr, "vole: {}\nRun 'vole --help', or 'vole COMMAND --help'.\n", wrong.what());
    return usage_status;
  }
  if (!vole.get_subcommands().empty()) return status;
  if (vole.remaining().empty()) {
    fmt::print(stderr, "{}", vole.help());
  } else {
    fmt::print(stderr, "vole: no command '{}'\nRun 'vole --help' for those there are.\n",
               vole.remaining().front());
  }
  return usage_status;
}

}  // namespace
}  // namespace vole::cmd

int main(int argc, char** argv) {
  return vole::cmd::run(argc, argv);
}
