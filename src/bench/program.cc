// SPDX-License-Identifier: Apache-2.0
//
// A benchmark program: reads the flags, starts a runtime, runs, says PASS or FAIL. With several
// values of -cpu it runs itself once for each benchmark and value, since a runtime keeps its number
// of processors for life. No shared state.

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fmt/format.h>
#include <spawn.h>
#include <string>
#include <string_view>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "vole/go.h"
#include "vole/internal/clock.h"

#include "bench/flags.h"
#include "bench/runner.h"

namespace vole::bench {
namespace {

std::string program_name(char const* path) {
  std::string const whole = path == nullptr ? "" : path;
  return whole.substr(whole.find_last_of('/') + 1);
}

int list_names(pattern const& which) {
  for (registration const* e : matching(which)) fmt::print("Benchmark{}\n", e->name);
  return 0;
}

// run_here measures in this process; returns false when a benchmark failed.
bool run_here(flags const& options, pattern const& which, std::string const& package) {
  std::vector<registration const*> chosen = matching(which);
  if (!options.child_of.empty()) {
    std::erase_if(chosen, [&](registration const* e) { return e->name != options.child_of; });
  }
  return vole::run([&] {
           runner all(options, which, package, stdout, stderr);
           return all.run(chosen) ? 0 : 1;
         }) == 0;
}

// spawn_self runs this program with other arguments and returns whether it succeeded.
bool spawn_self(std::vector<std::string> const& args) {
  std::vector<char*> argv;
  for (std::string const& a : args) argv.push_back(const_cast<char*>(a.c_str()));
  argv.push_back(nullptr);
  pid_t child = 0;
  if (int const code =
          posix_spawn(&child, "/proc/self/exe", nullptr, nullptr, argv.data(), environ);
      code != 0) {
    fmt::print(stderr, "cannot start this program again: {}\n", std::strerror(code));
    return false;
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return false;
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool run_children(flags const& options, pattern const& which, char const* program) {
  std::vector<registration const*> const chosen = matching(which);
  int const width = name_width(chosen, *std::max_element(options.cpus.begin(), options.cpus.end()));
  std::vector<std::string> common{program, "-bench=" + options.bench,
                                  fmt::format("-count={}", options.count),
                                  fmt::format("-child-name-width={}", width)};
  common.push_back(options.benchtime_n > 0
                       ? fmt::format("-benchtime={}x", options.benchtime_n)
                       : fmt::format("-benchtime={}ns", options.benchtime.count()));
  if (options.benchmem) common.emplace_back("-benchmem");
  if (options.verbose) common.emplace_back("-v");
  bool good = true;
  bool first = true;
  for (registration const* e : chosen) {
    for (int const cpus : options.cpus) {
      std::vector<std::string> args = common;
      args.push_back("-child-of=" + e->name);
      args.push_back(fmt::format("-cpu={}", cpus));
      if (std::exchange(first, false)) args.emplace_back("-child-labels");
      good &= spawn_self(args);
    }
  }
  return good;
}

int usage_error(std::string const& program, error const& err) {
  fmt::print(stderr, "{}: {}\n", program, err);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  time_point const begun = internal::now();
  char const* const program_path = argc > 0 ? argv[0] : "";
  std::string const program = program_name(program_path);
  result<flags> const parsed = parse_flags({argv + std::min(argc, 1), argv + argc});
  if (!parsed) return usage_error(program, parsed.error());
  flags const& options = *parsed;
  if (options.help) {
    fmt::print("{}", usage());
    return 0;
  }
  bool const listing = !options.list.empty();
  result<pattern> const which = pattern::parse(listing ? options.list : options.bench);
  if (!which) return usage_error(program, which.error());
  if (listing) return list_names(*which);

  bool good = true;
  if (options.cpus.size() > 1) {
    good = run_children(options, *which, program_path);
  } else {
    if (!options.cpus.empty()) {
      setenv("VOLE_MAXPROCS", std::to_string(options.cpus.front()).c_str(), 1);
    }
    good = run_here(options, *which, program);
  }
  if (options.child_of.empty()) {
    double const seconds = std::chrono::duration<double>(internal::now() - begun).count();
    fmt::print("{}\n{}\t{}\t{:.3f}s\n", good ? "PASS" : "FAIL", good ? "ok  " : "FAIL", program,
               seconds);
    std::fflush(stdout);
  }
  return good ? 0 : 1;
}

}  // namespace vole::bench
