// SPDX-License-Identifier: Apache-2.0
//
// Children of a benchmark program. Their results come through a pipe: the parent prints them, and
// learns the times. No shared state.

#include "bench/children.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <map>
#include <poll.h>
#include <spawn.h>
#include <sstream>
#include <string_view>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

#include "vole/internal/format.h"

#include "bench/callgrind.h"
#include "bench/interrupt.h"
#include "bench/progress.h"

namespace vole::bench {
namespace {

constexpr int failed_start = 127;
constexpr int lost_status = 1;  // results could not be written

// spawn_with_pipe starts argv (argv[0] is a path or looked up in PATH); its standard output is the
// returned descriptor, -1 when it could not be started.
int spawn_with_pipe(std::vector<std::string> const& args, pid_t& child, std::FILE* log) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return -1;
  std::vector<char*> argv;
  for (std::string const& a : args) argv.push_back(const_cast<char*>(a.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  int const code = posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  if (code == 0) return ends[0];
  close(ends[0]);
  fmt::print(log, "cannot start {}: {}\n", args.front(), std::strerror(code));
  return -1;
}

struct child_end {
  bool started = false;
  int status = failed_start;  // of exit; 128 + number of the signal that ended it
  int signal = 0;             // that ended it
};

// run_child runs it to its end and hands each line of its output on, also one that it broke off:
// on_line returns whether to go on; else the child is ended. on_idle is called now and then while
// it says nothing.
template <class OnLine, class OnIdle>
child_end run_child(std::vector<std::string> const& args, std::FILE* log, OnLine on_line,
                    OnIdle on_idle) {
  pid_t child = 0;
  int const from = spawn_with_pipe(args, child, log);
  if (from < 0) return {};
  interrupt::watch_child(child);
  bool goes_on = true;
  auto const hand_on = [&](std::string_view text) {
    if (!goes_on) return;
    goes_on = on_line(text);
    if (!goes_on) kill(child, SIGKILL);
  };
  std::string open;
  std::array<char, 4096> part{};
  while (true) {
    constexpr int idle_ms = 1'000;
    pollfd wanted{from, POLLIN, 0};
    if (poll(&wanted, 1, idle_ms) == 0) {
      on_idle();
      continue;
    }
    ssize_t const got = read(from, part.data(), part.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    open.append(part.data(), static_cast<std::size_t>(got));
    for (std::size_t end = 0; (end = open.find('\n')) != open.npos; open.erase(0, end + 1)) {
      hand_on(std::string_view(open).substr(0, end + 1));
    }
  }
  if (!open.empty()) hand_on(open + '\n');
  close(from);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  interrupt::watch_child(0);
  if (WIFEXITED(status)) return {true, WEXITSTATUS(status), 0};
  return {true, 128 + WTERMSIG(status), WTERMSIG(status)};
}

// say_end says on log how a child ended that did not say so itself.
void say_end(child_end const& end, std::string_view what, std::FILE* log) {
  constexpr int last_own_status = 2;  // a time-out or a panic, which it has explained
  if (!end.started || interrupt::ended_by() != 0) return;
  if (end.signal != 0) {
    fmt::print(log, "{}: its process ended with signal {} ({})\n", what, end.signal,
               strsignal(end.signal));
  } else if (end.status > last_own_status) {
    fmt::print(log, "{}: its process ended with status {}\n", what, end.status);
  }
}

// The program's own path; /proc/self/exe would be valgrind's under valgrind.
std::string own_path() {
  std::error_code failure;
  return std::filesystem::read_symlink("/proc/self/exe", failure).string();
}

// common_flags are those that a child shares with us.
std::vector<std::string> common_flags(flags const& f) {
  std::vector<std::string> args{"-bench=" + f.bench, fmt::format("-count={}", f.count)};
  auto const add = [&](bool given, std::string arg) {
    if (given) args.push_back(std::move(arg));
  };
  add(f.benchtime_n > 0, fmt::format("-benchtime={}x", f.benchtime_n));
  add(f.benchtime_n == 0 && !f.callgrind, fmt::format("-benchtime={}ns", f.benchtime.count()));
  add(!f.skip.empty(), "-skip=" + f.skip);
  add(f.benchmem, "-benchmem");
  add(f.counters, "-counters");
  add(f.verbose, f.test2json ? "-v=test2json" : "-v");
  add(!f.profile_each.empty(), "-profile-each=" + f.profile_each);
  add(f.mem_profile_rate > 0, fmt::format("-memprofilerate={}", f.mem_profile_rate));
  add(!f.output_dir.empty(), "-outputdir=" + f.output_dir);
  return args;
}

struct scaling {
  std::vector<point> ns_by_procs;
};

// learn takes name and ns/op out of a result line.
void learn(std::string_view line, int procs, std::map<std::string, scaling>& seen) {
  std::istringstream words{std::string(line)};
  std::string name;
  std::string value;
  std::string unit;
  words >> name >> value;  // the iterations
  if (!name.starts_with("Benchmark")) return;
  std::string const suffix = full_name("", procs);
  if (name.ends_with(suffix)) name.resize(name.size() - suffix.size());
  while (words >> value >> unit) {
    if (unit != "ns/op") continue;
    seen[name].ns_by_procs.push_back({static_cast<double>(procs), std::strtod(value.c_str(), {})});
  }
}

void say_scaling(std::map<std::string, scaling> const& seen, std::FILE* log) {
  for (auto const& [name, s] : seen) {
    std::string const text = scaling_text(s.ns_by_procs);
    if (!text.empty()) fmt::print(log, "{}: {}\n", name, text);
  }
}

// ends_the_run: 2 and above are a time-out, a signal or a crash.
bool ends_the_run(int status) {
  return status >= 2 || interrupt::ended_by() != 0;
}

}  // namespace

int run_for_each_cpu(flags const& options, std::vector<registration const*> const& entries,
                     sink& out, std::FILE* log) {
  int const width =
      name_width(entries, *std::max_element(options.cpus.begin(), options.cpus.end()));
  std::vector<std::string> const common = common_flags(options);
  progress shown(
      log, {.on = options.progress},
      {.parts = entries.size() * options.cpus.size(),
       .round_time = options.benchtime_n > 0 ? duration{} : options.benchtime * options.count});
  time_point const begun = internal::monotonic_now();
  bool const bounded = options.timeout.count() > 0 && options.timeout < never - begun;
  time_point const deadline = bounded ? begun + options.timeout : never;
  int worst = 0;
  bool first = true;
  for (registration const* e : entries) {
    std::map<std::string, scaling> seen;
    for (int const procs : options.cpus) {
      std::vector<std::string> args{own_path()};
      args.insert(args.end(), common.begin(), common.end());
      args.push_back("-child-of=" + e->name);
      args.push_back(fmt::format("-child-name-width={}", width));
      args.push_back(fmt::format("-cpu={}", procs));
      if (std::exchange(first, false)) args.emplace_back("-child-labels");
      if (deadline != never) {
        auto const left = std::max((deadline - internal::monotonic_now()).count(), std::int64_t{1});
        args.push_back(fmt::format("-timeout={}ns", left));
      }
      std::string const name = "Benchmark" + full_name(e->name, procs);
      shown.begin(name, 1);
      auto const on_line = [&](std::string_view line) {
        shown.clear();
        out.write(line);
        shown.show();
        learn(line, procs, seen);
        return out.lost() == 0;
      };
      child_end const end = run_child(args, log, on_line, [&] { shown.tick(); });
      shown.clear();
      if (out.lost() != 0) return lost_status;
      say_end(end, name, log);
      worst = std::max(worst, end.status);
      if (ends_the_run(end.status)) {
        fmt::print(log, "{} of {} benchmarks are complete, each value of -cpu counted by itself\n",
                   shown.parts_done(), entries.size() * options.cpus.size());
        say_scaling(seen, log);
        return end.status;
      }
      shown.round_done();
      shown.part_done();
    }
    say_scaling(seen, log);
  }
  return worst;
}

int run_under_callgrind(flags const& options, sink& out, std::FILE* log) {
  if (!callgrind::available()) {
    fmt::print(log,
               "-callgrind: this program was built without valgrind's header; install the "
               "package valgrind and build again\n");
    return 2;
  }
  interrupt::hold();
  std::string dir = std::filesystem::temp_directory_path().string() + "/vole-callgrind-XXXXXX";
  if (mkdtemp(dir.data()) == nullptr) {
    fmt::print(log, "-callgrind: cannot make {}: {}\n", dir, std::strerror(errno));
    return 2;
  }
  std::vector<std::string> args{own_path(), "-callgrind-dir=" + dir, "-cpu=1"};
  for (std::string& arg : common_flags(options)) args.push_back(std::move(arg));
  if (options.shuffle_seed) {
    args.push_back(fmt::format("-shuffle={}", static_cast<std::int64_t>(*options.shuffle_seed)));
  }
  if (options.timeout.count() > 0) {
    args.push_back(fmt::format("-timeout={}ns", options.timeout.count()));
  }
  auto const on_line = [&](std::string_view line) {
    out.write(line);
    return out.lost() == 0;
  };
  child_end const end = run_child(callgrind::command(dir, std::move(args)), log, on_line, [] {});
  std::error_code ignored;
  std::filesystem::remove_all(dir, ignored);
  if (out.lost() != 0) return lost_status;
  if (!end.started) {
    fmt::print(log, "-callgrind needs valgrind on the PATH: install the package valgrind\n");
    return 2;
  }
  say_end(end, "-callgrind", log);
  return end.status;
}

}  // namespace vole::bench
