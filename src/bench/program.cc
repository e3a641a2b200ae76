// SPDX-License-Identifier: Apache-2.0
//
// A benchmark program: reads the flags, starts a runtime, runs, says PASS or FAIL. No shared state.

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>
#include <unistd.h>
#include <utility>
#include <vector>

#include "vole/go.h"
#include "vole/internal/clock.h"
#include "vole/internal/format.h"

#include "base/sys_error.h"
#include "bench/children.h"
#include "bench/flags.h"
#include "bench/interrupt.h"
#include "bench/output.h"
#include "bench/profiles.h"
#include "bench/runner.h"
#include "bench/sink.h"

namespace vole::bench {
namespace {

std::string program_name(char const* path) {
  std::string const whole = path == nullptr ? "" : path;
  return whole.substr(whole.find_last_of('/') + 1);
}

// end_lost ends a program whose results do not arrive: as a signal would where nobody reads them.
int end_lost(std::string const& program, int code) {
  if (code == EPIPE) {
    std::signal(SIGPIPE, SIG_DFL);
    std::raise(SIGPIPE);
    return 128 + SIGPIPE;  // it is blocked
  }
  fmt::print(stderr, "{}: write the results to standard output: {}\n", program,
             internal::sys_error_text(code));
  return 1;
}

int usage_error(std::string const& program, error const& err) {
  fmt::print(stderr, "{}: {}\n", program, err);
  return 2;
}

result<selection> parse_selection(flags const& options) {
  std::string const& wanted = options.list.empty() ? options.bench : options.list;
  auto which =
      VOLE_TRY(pattern::parse(wanted), "flag -{}", options.list.empty() ? "bench" : "list");
  selection chosen{std::move(which), std::nullopt};
  if (!options.skip.empty()) {
    auto skipped = VOLE_TRY(pattern::parse(options.skip), "flag -skip");
    chosen.skipped = std::move(skipped);
  }
  return chosen;
}

// shuffle is Fisher and Yates', spelled out so that a seed gives the same order with every library.
void shuffle(std::vector<registration const*>& entries, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  for (std::size_t left = entries.size(); left > 1; --left) {
    std::swap(entries[left - 1], entries[random() % left]);
  }
}

// run_here measures in this process; returns the exit status.
int run_here(flags const& options, selection const& which, std::string const& package,
             std::vector<registration const*> const& chosen, sink& out) {
  return vole::run([&] {
    run_profiles profiles(options);
    if (error err = profiles.start()) return usage_error(package, err);
    bool good = runner(options, which, package, out, stderr).run(chosen);
    if (error err = profiles.finish()) {
      fmt::print(stderr, "{}: {}\n", package, err);
      good = false;
    }
    return good ? 0 : 1;
  });
}

// run_all runs what is chosen in the right process and prints how it went.
int run_all(flags const& options, selection const& which, std::string const& program) {
  time_point const begun = internal::monotonic_now();
  std::vector<registration const*> chosen;
  if (!options.bench.empty() && options.count > 0) chosen = matching(which);
  if (!options.child_of.empty()) {
    std::erase_if(chosen, [&](registration const* e) { return e->name != options.child_of; });
  }
  sink out(stdout, options.json, program);
  auto const seconds = [&] {
    return std::chrono::duration<double>(internal::monotonic_now() - begun).count();
  };
  if (options.callgrind) {
    interrupt::watch({});
    int const status = run_under_callgrind(options, out, stderr);
    if (status >= 2) out.end(seconds());
    return out.lost() != 0 ? end_lost(program, out.lost()) : status;
  }
  if (options.shuffle_seed) {
    shuffle(chosen, *options.shuffle_seed);
    out.write(fmt::format("-test.shuffle {}\n", static_cast<std::int64_t>(*options.shuffle_seed)));
  }
  int status = 0;
  if (options.cpus.size() > 1) {
    interrupt::watch({});
    status = run_for_each_cpu(options, chosen, out, stderr);
  } else {
    if (!options.cpus.empty()) {
      setenv("VOLE_MAXPROCS", std::to_string(options.cpus.front()).c_str(), 1);
    }
    bool const in_valgrind = options.in_valgrind();
    interrupt::watch(options.timeout,
                     in_valgrind ? interrupt::at_timeout::end : interrupt::at_timeout::dump);
    status = run_here(options, which, program, chosen, out);
  }
  if (status >= 2) out.end(seconds());
  if (options.child_of.empty() && status < 2) {
    char const* const mark = options.test2json && !options.json ? "\x16" : "";
    out.write(fmt::format("{}{}\n", mark, status == 0 ? "PASS" : "FAIL"));
    out.write(fmt::format("{}\t{}\t{:.3f}s\n", status == 0 ? "ok  " : "FAIL", program, seconds()));
  }
  return out.lost() != 0 ? end_lost(program, out.lost()) : status;
}

// print_text is for what is no result.
int print_text(std::string const& program, std::string_view text) {
  int const lost = write_all(stdout, text);
  return lost != 0 ? end_lost(program, lost) : 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::string const program = program_name(argc > 0 ? argv[0] : "");
  result<flags> parsed = parse_flags({argv + std::min(argc, 1), argv + argc});
  if (!parsed) return usage_error(program, parsed.error());
  flags& options = *parsed;
  std::signal(SIGPIPE, SIG_IGN);  // what writes says so, and cleans up first
  if (options.help) return print_text(program, usage());
  if (error const err = check_names(registered())) return usage_error(program, err);
  options.verbose |= options.json;
  options.progress = !options.verbose && options.child_of.empty() && isatty(STDERR_FILENO) != 0;
  result<selection> const which = parse_selection(options);
  if (!which) return usage_error(program, which.error());
  if (options.list.empty()) return run_all(options, *which, program);
  std::string names;
  for (registration const* e : matching(*which)) names += fmt::format("Benchmark{}\n", e->name);
  return print_text(program, names);
}

}  // namespace vole::bench
