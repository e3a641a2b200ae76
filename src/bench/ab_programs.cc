// SPDX-License-Identifier: Apache-2.0
// No shared state.
#include "bench/ab_programs.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fmt/ranges.h>
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
constexpr std::chrono::seconds slice_at_most{60};
constexpr double calibrated_seconds_max = 1.0;

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

// The suffix for the number of processors, "-2", where all names end in the same one.
std::string common_suffix(std::vector<reported> const& results) {
  std::string common;
  for (auto const& r : results) {
    auto const parts = benchfmt::split_name(r.name).parts;
    bool const has = !parts.empty() && parts.back().starts_with('-');
    if (!has || (!common.empty() && common != parts.back())) return {};
    common = parts.back();
  }
  return common;
}

}  // namespace

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
    static_cast<void>(
        meter_.run({.path = *git, .words = {"git", "worktree", "remove", "--force", tree}}));
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

result<report> read_report(std::string const& output) {
  report made;
  benchfmt::unit_notes notes;
  std::string_view rest = output;
  bool no_time = false;
  while (!rest.empty()) {
    auto const end = std::min(rest.find('\n'), rest.size());
    std::string_view const line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    benchfmt::reader in(line, "output", "", notes);
    auto const record = in.next();
    if (record == benchfmt::reader::record::syntax_error) return errors::make(in.error().what);
    if (record == benchfmt::reader::record::end) {
      if (!in.current().configs().empty()) made.labels.append(line).append("\n");
      continue;
    }
    auto const& values = in.current().values;
    auto const time = std::ranges::find(values, "sec/op", &benchfmt::measurement::unit);
    if (time == values.end() || !(time->value > 0)) {
      no_time = true;
      continue;
    }
    made.results.push_back(
        {in.current().name, in.current().iterations, time->value, std::string(line)});
  }
  if (made.results.empty()) {
    return errors::make(no_time ? "no benchmark reports a time (ns/op) above 0"
                                : "no benchmark ran: see its -list and your -bench");
  }
  return made;
}

result<ended> bench_programs::run(arm of, std::vector<std::string> flags) {
  command what{.path = in_.path(of), .words = {in_.argv0()}, .at_most = slice_at_most};
  what.words.insert(what.words.end(), flags.begin(), flags.end());
  what.words.insert(what.words.end(), extra_.begin(), extra_.end());
  ended done = VOLE_TRY(meter_.run(what), "run");
  if (done.status != 0) {
    return errors::make("it ends with {} when started with {}{}", done.status,
                        fmt::join(flags, " "), last_lines(done.output + done.errors, 10));
  }
  return done;
}

result<report> bench_programs::discover(arm of, std::string const& pattern) {
  ended const done = VOLE_TRY(run(of, {"-bench=" + pattern, "-benchtime=1x"}), "list benchmarks");
  report found = VOLE_TRY(read_report(done.output), "list benchmarks");
  if (of == arm::older) procs_suffix_ = common_suffix(found.results);
  return found;
}

result<reported> bench_programs::run_one(arm of, std::string const& name,
                                         std::vector<std::string> flags, disturbance* disturbed) {
  std::string_view plain = name;
  if (plain.ends_with(procs_suffix_)) plain.remove_suffix(procs_suffix_.size());
  flags.insert(flags.begin(), "-bench=" + pattern_for(plain));
  ended const done = VOLE_TRY(run(of, std::move(flags)), "{}", name);
  report const read = VOLE_TRY(read_report(done.output), "{}", name);
  auto const at = std::ranges::find(read.results, name, &reported::name);
  if (at == read.results.end()) {
    return errors::make("{}: asked for it, got {}", name, read.results.front().name);
  }
  if (disturbed != nullptr) *disturbed = done.disturbed;
  return *at;
}

result<std::int64_t> bench_programs::calibrate(std::string const& name,
                                               std::chrono::nanoseconds slice) {
  reported const once =
      VOLE_TRY(run_one(arm::older, name, {fmt::format("-benchtime={}ns", slice.count())}, nullptr),
               "calibrate");
  double const wanted = std::chrono::duration<double>(slice).count();
  if (once.seconds_per_op > calibrated_seconds_max) {
    return errors::make("{}: one operation takes {:.1f} s: too long to be compared in slices", name,
                        once.seconds_per_op);
  }
  return std::max<std::int64_t>(1, std::llround(wanted / once.seconds_per_op));
}

result<bench_programs::measured> bench_programs::measure(arm of, std::string const& name,
                                                         std::int64_t iterations) {
  measured made;
  made.what = VOLE_TRY(
      run_one(of, name, {fmt::format("-benchtime={}x", iterations)}, &made.disturbed), "measure");
  return made;
}

result<std::string> bench_programs::profile(arm of, std::string const& name,
                                            std::int64_t iterations) {
  std::string file = in_.path(of) + ".cpu";
  VOLE_TRY(run_one(of, name, {fmt::format("-benchtime={}x", iterations), "-cpuprofile=" + file},
                   nullptr),
           "profile");
  if (!fs::exists(file)) return errors::make("profile {}: the program wrote none", name);
  return file;
}

}  // namespace vole::ab
