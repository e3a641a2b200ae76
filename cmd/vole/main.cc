// SPDX-License-Identifier: Apache-2.0
//
// vole: the command line tool. Says which command was meant and hands over to it.
//
// Exit status: of the command; 2 when the command line is wrong.
// No shared state.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>
#include <vector>

#include "vole/internal/format.h"

#include "bench/ab.h"
#include "commands.h"

namespace vole::cmd {
namespace {

constexpr int usage_status = 2;

// add puts a command under `above`; when the user names it, `act` gets the words that follow, also
// flags: they are Go's, with one dash, which CLI11 does not read.
template <class Act>
CLI::App* add(CLI::App& above, int& status, char const* name, char const* what, Act act) {
  CLI::App* const command = above.add_subcommand(name, what);
  command->set_help_flag();
  command->prefix_command();
  command->callback([command, &status, act] { status = act(command->remaining()); });
  return command;
}

int run(int argc, char** argv) {
  CLI::App vole("Go's production habits for C++ services, on the command line", "vole");
  vole.require_subcommand(0, 1);
  vole.allow_extras();
  int status = 0;
  CLI::App* const bench = vole.add_subcommand("bench", "run and compare benchmark programs");
  bench->require_subcommand(1);
  add(*bench, status, "run",
      "run PROGRAM, a benchmark program, with the flags that follow it (see PROGRAM -help)",
      bench_run)
      ->set_help_flag("-h,--help", "Print this help message and exit");
  add(*bench, status, "ab",
      "compare two programs, or two git revisions, in turn (see vole bench ab -help)", ab::run);
  add(vole, status, "benchstat",
      "summarize and compare benchmark results (see vole benchstat -help)", benchstat);
  add(vole, status, "pprof", "read a profile, from a file or an address", pprof);
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
