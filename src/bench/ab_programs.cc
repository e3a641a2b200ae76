// SPDX-License-Identifier: Apache-2.0
// No shared state.
#include "bench/ab_programs.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fmt/ranges.h>
#include <iterator>
#include <string_view>
#include <unistd.h>
#include <utility>

#include "vole/internal/format.h"

#include "base/sys_error.h"
#include "bench/benchfmt.h"

namespace vole::ab {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds build_at_most{3600};
constexpr std::chrono::seconds run_at_most{60};
constexpr int some_failed_status = 1;  // of a program whose other benchmarks have run

// last_lines is the end of what a program wrote, indented.
std::string last_lines(std::string_view text, int lines) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  std::size_t begin = text.size();
  while (lines-- > 0 && begin != 0 && begin != std::string_view::npos) {
    begin = text.rfind('\n', begin - 1);
  }
  if (begin == std::string_view::npos) begin = 0;
  std::string shown;
  text.remove_prefix(begin);
  while (text.starts_with('\n')) text.remove_prefix(1);
  while (!text.empty()) {
    auto const end = std::min(text.find('\n'), text.size());
    shown += fmt::format("\n    {}", text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return shown;
}

result<std::string> find_on_path(std::string_view program) {
  char const* path = std::getenv("PATH");
  std::string_view rest = path == nullptr ? "" : path;
  while (!rest.empty()) {
    auto const end = std::min(rest.find(':'), rest.size());
    std::string const file = fmt::format("{}/{}", rest.substr(0, end), program);
    if (::access(file.c_str(), X_OK) == 0) return file;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return errors::make("{} is not on the PATH", program);
}

error check_program(origin const& from, std::string const& path) {
  std::error_code none;
  if (!fs::exists(path, none)) {
    return errors::make("{}: there is no program '{}'; for a git revision, add -build and -program",
                        from.side, path);
  }
  if (fs::is_directory(path, none) || ::access(path.c_str(), X_OK) != 0) {
    return errors::make("{}: '{}' is no program", from.side, path);
  }
  return nullptr;
}

// The benchmark that a line names without a result, as -v and -list print them: "Work/n=1". Empty:
// it does neither.
std::string_view named_alone(std::string_view line) {
  constexpr std::string_view prefix = "Benchmark";
  if (!line.starts_with(prefix) || line.find_first_of(" \t") != std::string_view::npos) return {};
  return line.substr(prefix.size());
}

// name without what may be the number of processors at its end, "-2".
std::string_view without_procs(std::string_view name) {
  auto const last = name.find_last_not_of("0123456789");
  bool const has = last != std::string_view::npos && last + 1 < name.size() && name[last] == '-';
  return has ? name.substr(0, last) : name;
}

// What a benchmark that failed has said: "    BenchmarkWork: lost 1 of 2".
std::string why_failed(std::string_view complaints, std::string_view name) {
  std::string const head = fmt::format("    Benchmark{}: ", name);
  auto const at = complaints.find(head);
  if (at == std::string_view::npos) return "it fails";
  std::string_view const rest = complaints.substr(at + head.size());
  return fmt::format("it fails: {}", rest.substr(0, rest.find('\n')));
}

// One line of what a program printed, with the benchmark that was named last.
class report_reader {
 public:
  error take(std::string_view line) {
    constexpr std::string_view failed = "--- FAIL: Benchmark";
    constexpr std::string_view skipped = "--- SKIP: Benchmark";
    if (auto const plain = named_alone(line); !plain.empty()) under_way_ = plain;
    if (line.starts_with(failed)) failed_.emplace_back(line.substr(failed.size()));
    if (line.starts_with(skipped)) made_.skipped.emplace_back(line.substr(skipped.size()));
    benchfmt::reader in(line, "output", "", notes_);
    auto const record = in.next();
    if (record == benchfmt::reader::record::syntax_error) return errors::make(in.error().what);
    if (record == benchfmt::reader::record::end) {
      if (!in.current().configs().empty()) made_.labels.append(line).append("\n");
      return nullptr;
    }
    auto const& values = in.current().values;
    auto const time = std::ranges::find(values, "sec/op", &benchfmt::measurement::unit);
    std::string const& name = in.current().name;
    bool const known = under_way_ == name || under_way_ == without_procs(name);
    if (time == values.end() || !(time->value > 0)) {
      made_.timeless.push_back(known ? under_way_ : name);
      return nullptr;
    }
    made_.results.push_back({.name = name,
                             .plain = known ? under_way_ : name,
                             .known = known,
                             .iterations = in.current().iterations,
                             .seconds_per_op = time->value,
                             .line = std::string(line)});
    return nullptr;
  }

  report finish(std::string_view complaints) && {
    for (auto const& name : failed_) {
      // A parent fails with its part.
      bool const parent = std::ranges::any_of(
          failed_, [&](auto const& other) { return other.starts_with(name + '/'); });
      if (!parent) made_.failures.push_back({name, why_failed(complaints, name)});
    }
    return std::move(made_);
  }

 private:
  report made_;
  benchfmt::unit_notes notes_;
  std::string under_way_;
  std::vector<std::string> failed_;
};

// next_line takes the first line off the text.
std::string_view next_line(std::string_view& text) {
  auto const end = std::min(text.find('\n'), text.size());
  std::string_view const line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

result<report> read_all(std::string_view output, std::string_view complaints) {
  report_reader lines;
  while (!output.empty()) {
    if (auto err = lines.take(next_line(output))) return err;
  }
  return std::move(lines).finish(complaints);
}

// with_any refuses a report of which nothing can be said.
result<report> with_any(report all) {
  if (!all.results.empty() || !all.failures.empty() || !all.skipped.empty()) return all;
  return errors::make(all.timeless.empty() ? "no benchmark ran: see its -list and your -bench"
                                           : "no benchmark reports a time (ns/op) above 0");
}

}  // namespace

bool is_part_of(std::string_view plain, std::string_view whole) {
  return plain.starts_with(whole) && (plain.size() == whole.size() || plain[whole.size()] == '/');
}

bool names(std::vector<std::string> const& list, std::string_view plain) {
  return std::ranges::any_of(list,
                             [&](std::string const& name) { return is_part_of(plain, name); });
}

std::string pattern_for(std::string_view name) {
  std::string pattern = "^";
  for (char const c : name) {
    if (c == '/') {
      pattern += "$/^";
      continue;
    }
    if (std::string_view("\\^$.|?*+()[]{}").find(c) != std::string_view::npos) pattern += '\\';
    pattern += c;
  }
  return pattern + '$';
}

std::string pattern_for(reported const& which) {
  std::string const pattern = pattern_for(which.plain);
  std::string_view const shorter = without_procs(which.plain);
  if (which.known || shorter == which.plain) return pattern;
  return pattern + '|' + pattern_for(shorter);
}

result<std::unique_ptr<workshop>> workshop::open(origin const& older, origin const& newer,
                                                 build const& how, meter& with) {
  std::unique_ptr<workshop> made(new workshop(with));
  if (auto err = made->set_up(older, newer, how)) return err;
  return made;
}

workshop::~workshop() {
  auto const git = find_on_path("git");
  for (auto const& tree : worktrees_) {
    // A worktree that stays behind is only rubbish in the temporary folder.
    static_cast<void>(meter_.run({.path = *git,
                                  .words = {"git", "worktree", "remove", "--force", tree},
                                  .cleans_up = true}));
  }
  std::error_code none;
  if (!folder_.empty()) fs::remove_all(folder_, none);
}

error workshop::set_up(origin const& older, origin const& newer, build const& how) {
  std::error_code failed;
  std::string pattern = (fs::temp_directory_path(failed) / "vole-ab-XXXXXX").string();
  if (failed || ::mkdtemp(pattern.data()) == nullptr) {
    return errors::make("make a temporary folder: {}", internal::sys_error_text(errno));
  }
  folder_ = pattern;
  std::string const old_path = VOLE_TRY(check_out(older, how), "{}", older.name);
  std::string const new_path = VOLE_TRY(check_out(newer, how), "{}", newer.name);
  argv0_ = fs::path(old_path).filename();
  if (auto err = copy(old_path, arm::older)) return err;
  if (auto err = copy(new_path, arm::newer)) return err;
  return copy(old_path, arm::again);
}

// The program's path: itself, or what the build makes of the revision.
result<std::string> workshop::check_out(origin const& from, build const& how) {
  if (how.command.empty()) {
    if (auto err = check_program(from, from.name)) return err;
    return from.name;
  }
  std::string const git = VOLE_TRY(find_on_path("git"), "check out the {} revision", from.side);
  std::string const tree = fmt::format("{}/src-{}", folder_, from.side);
  ended const out = VOLE_TRY(
      meter_.run({.path = git,
                  .words = {"git", "worktree", "add", "--detach", "--force", tree, from.name},
                  .at_most = build_at_most}),
      "check out the {} revision", from.side);
  if (out.status != 0) {
    return errors::make("check out the {} revision: git ends with {}{}", from.side, out.status,
                        last_lines(out.errors, 5));
  }
  worktrees_.push_back(tree);
  ended const built = VOLE_TRY(meter_.run({.path = "/bin/sh",
                                           .words = {"sh", "-c", how.command},
                                           .folder = tree,
                                           .at_most = build_at_most}),
                               "build the {} revision", from.side);
  if (built.status != 0) {
    return errors::make("build the {} revision: '{}' ends with {}{}", from.side, how.command,
                        built.status, last_lines(built.output + built.errors, 20));
  }
  std::string program = tree + '/' + how.program;
  if (auto err = check_program({from.side, how.program}, program)) return err;
  return program;
}

error workshop::copy(std::string const& from, arm to) {
  static constexpr std::array<char const*, arms> folders = {"a", "b", "c"};
  fs::path const folder = fs::path(folder_) / folders[static_cast<std::size_t>(to)];
  std::error_code failed;
  fs::create_directory(folder, failed);
  fs::path const file = folder / argv0_;
  if (!failed) fs::copy_file(from, file, failed);
  if (failed) return errors::make("copy {} to {}: {}", from, file.string(), failed.message());
  paths_[static_cast<std::size_t>(to)] = file;
  return nullptr;
}

result<report> read_report(std::string_view output, std::string_view complaints) {
  auto read = read_all(output, complaints);
  return read ? with_any(*std::move(read)) : std::move(read);
}

// start runs a program to its end. What we ask for stands last and wins over the user's flags.
result<ended> bench_programs::start(arm of, std::vector<std::string> const& flags) {
  command what{.path = in_.path(of), .words = {in_.argv0()}, .at_most = run_at_most};
  what.words.insert(what.words.end(), extra_.begin(), extra_.end());
  what.words.insert(what.words.end(), flags.begin(), flags.end());
  return meter_.run(what);
}

// run is start of what has to end well.
result<ended> bench_programs::run(arm of, std::vector<std::string> const& flags) {
  ended done = VOLE_TRY(start(of, flags), "run");
  if (done.status != 0) {
    return errors::make("it ends with {} when started with {}{}", done.status,
                        fmt::join(flags, " "), last_lines(done.output + done.errors, 10));
  }
  return done;
}

result<report> bench_programs::discover(arm of, std::string const& pattern) {
  auto const done = start(of, {"-bench=" + pattern, "-benchtime=1x", "-v"});
  if (done && done->status <= some_failed_status) return read_report(done->output, done->errors);
  if (interrupted()) return done.error();
  return discover_apart(of, pattern);
}

// discover_apart gives each benchmark a process of its own, since one takes its process down or
// hangs.
result<report> bench_programs::discover_apart(arm of, std::string const& pattern) {
  ended const list = VOLE_TRY(run(of, {"-list=" + pattern}), "list benchmarks");
  report all;
  std::string_view rest = list.output;
  while (!rest.empty()) {
    std::string const name(named_alone(next_line(rest)));
    if (name.empty()) continue;
    auto const done = start(
        of, {"-bench=" + pattern, "-benchtime=1x", "-v", "-child-of=" + name, "-child-labels"});
    if (interrupted()) return errors::make("interrupted");
    if (!done) {
      all.failures.push_back({name, fmt::format("{}", done.error())});
    } else if (done->status > some_failed_status) {
      all.failures.push_back({name, fmt::format("it ends with {}{}", done->status,
                                                last_lines(done->output + done->errors, 10))});
    } else if (auto one = read_all(done->output, done->errors); !one) {
      all.failures.push_back({name, fmt::format("{}", one.error())});
    } else {
      if (!one->labels.empty()) all.labels = one->labels;
      std::ranges::move(one->results, std::back_inserter(all.results));
      std::ranges::move(one->failures, std::back_inserter(all.failures));
      std::ranges::move(one->skipped, std::back_inserter(all.skipped));
      std::ranges::move(one->timeless, std::back_inserter(all.timeless));
    }
  }
  return with_any(std::move(all));
}

result<reported> bench_programs::run_one(arm of, reported const& which,
                                         std::vector<std::string> flags, disturbance* disturbed) {
  flags.insert(flags.begin(), "-bench=" + pattern_for(which));
  ended const done = VOLE_TRY(run(of, flags), "{}", which.name);
  report const read = VOLE_TRY(read_report(done.output, done.errors), "{}", which.name);
  auto const at = std::ranges::find(read.results, which.name, &reported::name);
  if (at == read.results.end()) {
    return errors::make("asked for {}, got {}", which.name,
                        read.results.empty() ? "a failure" : read.results.front().name);
  }
  if (disturbed != nullptr) *disturbed = done.disturbed;
  return *at;
}

result<double> bench_programs::seconds_per_op(arm of, reported const& which,
                                              std::chrono::nanoseconds at_least) {
  reported const once = VOLE_TRY(
      run_one(of, which, {fmt::format("-benchtime={}ns", at_least.count())}, nullptr), "calibrate");
  return once.seconds_per_op;
}

result<bench_programs::measured> bench_programs::measure(arm of, reported const& which,
                                                         std::int64_t iterations) {
  measured made;
  made.what = VOLE_TRY(
      run_one(of, which, {fmt::format("-benchtime={}x", iterations)}, &made.disturbed), "measure");
  return made;
}

result<std::string> bench_programs::profile(arm of, reported const& which,
                                            std::int64_t iterations) {
  std::string file = in_.path(of) + ".cpu";
  VOLE_TRY(run_one(of, which, {fmt::format("-benchtime={}x", iterations), "-cpuprofile=" + file},
                   nullptr),
           "profile");
  if (!fs::exists(file)) return errors::make("profile {}: the program wrote none", which.name);
  return file;
}

}  // namespace vole::ab
