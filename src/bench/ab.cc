// SPDX-License-Identifier: Apache-2.0
// No shared state.
#include "bench/ab.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fmt/ranges.h>
#include <memory>
#include <optional>
#include <string_view>
#include <unistd.h>
#include <utility>

#include "vole/internal/clock.h"
#include "vole/internal/format.h"

#include "base/sys_error.h"
#include "bench/ab_plan.h"
#include "bench/ab_profile.h"
#include "bench/ab_slice.h"
#include "bench/benchfmt_unit.h"
#include "bench/output.h"
#include "bench/progress.h"

namespace vole::ab {
namespace {

constexpr int gate_status = 1;
constexpr int failed_status = 2;
constexpr int gone_status = 3;

// One benchmark that both programs have.
struct compared {
  reported what;                // in the old program
  std::int64_t iterations = 0;  // of a slice
  std::unique_ptr<comparison> by = nullptr;
  error failure = nullptr;  // why it could not be compared
};

constexpr std::string_view columns =
    "{:<{}}  {:>9}  {:>9}  {:>7}  {:<17}  {:>7}  {:>5}  {:>6}  {}\n";

std::string percent(double logarithm) {
  if (std::isinf(logarithm)) return logarithm > 0 ? "+∞" : "-100%";
  return fmt::format("{:+.1f}%", std::expm1(logarithm) * 100);
}

double median_seconds(std::vector<sample> const& of) {
  if (of.empty()) return 0;
  std::vector<double> values;
  for (auto const& s : of) values.push_back(s.seconds_per_op);
  auto const middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

std::string shown_seconds(double seconds) {
  return benchfmt::common_scale({&seconds, 1}, benchfmt::unit_class::decimal).format(seconds) + 's';
}

class session {
 public:
  explicit session(options asked) : asked_(std::move(asked)), terminal_(::isatty(2) != 0) {}

  error prepare();
  void compare_all();
  // complete: all benchmarks that both programs have were compared.
  bool complete() const;
  std::string table() const;
  struct gate_result {
    bool tripped = false;
    bool gone = false;  // a benchmark is
    std::string text;
  };
  gate_result gate();
  error write_files() const;

 private:
  void match(report const& older, report const& newer);
  void match_rest(report const& older, report const& newer);
  error compare(compared& one, limits const& by);
  void show_progress(compared const& one) const;
  std::string row(compared const& one, double p, std::size_t name_width) const;
  std::string discarded() const;
  std::string growth_of(compared const& one);
  error write_file(std::filesystem::path const& path, std::string const& labels, arm of) const;

  options asked_;
  bool terminal_;
  meter meter_;
  rank_sums sums_;
  std::unique_ptr<workshop> workshop_;
  std::optional<bench_programs> programs_;
  std::string old_labels_;
  std::string new_labels_;
  std::vector<compared> compared_;
  std::vector<std::string> unmatched_;  // "Name: only in the new program"
  std::vector<std::string> gone_;       // names of those that only the old program has a result of
  std::vector<std::string> failures_;   // "Name: fails in the new program: ..."
};

error session::prepare() {
  // What cannot be kept is not worth the time.
  if (!asked_.folder.empty()) {
    std::error_code failed;
    std::filesystem::create_directories(asked_.folder, failed);
    if (failed) return errors::make("make the folder {}: {}", asked_.folder, failed.message());
  }
  if (terminal_ && !asked_.how.command.empty()) fmt::print(stderr, "building both revisions...\n");
  workshop_ = VOLE_TRY(workshop::open(asked_.older, asked_.newer, asked_.how, meter_),
                       "get the programs ready");
  programs_.emplace(*workshop_, meter_, asked_.program_flags);
  report const older = VOLE_TRY(programs_->discover(arm::older, asked_.bench), "{} ({})",
                                asked_.older.side, asked_.older.name);
  report const newer = VOLE_TRY(programs_->discover(arm::newer, asked_.bench), "{} ({})",
                                asked_.newer.side, asked_.newer.name);
  old_labels_ = older.labels;
  new_labels_ = newer.labels;
  match(older, newer);
  if (!compared_.empty()) return nullptr;
  unmatched_.insert(unmatched_.end(), failures_.begin(), failures_.end());
  return errors::make("the programs have no benchmark in common that runs{}{}",
                      unmatched_.empty() ? "" : "\n    ", fmt::join(unmatched_, "\n    "));
}

// match finds the benchmarks that both programs have, and says of the others why not.
void session::match(report const& older, report const& newer) {
  auto const has = [](report const& in, reported const& r) {
    return std::ranges::find(in.results, r.name, &reported::name) != in.results.end();
  };
  auto const fails = [](report const& in, reported const& r) {
    return std::ranges::any_of(in.failures,
                               [&](failure const& f) { return is_part_of(r.plain, f.name); });
  };
  for (auto const& r : older.results) {
    auto const same = [&](compared const& one) { return one.what.name == r.name; };
    if (has(newer, r)) {
      if (std::ranges::none_of(compared_, same)) compared_.push_back({.what = r});
    } else if (names(newer.timeless, r.plain)) {
      failures_.push_back(r.name + ": in the new program it reports no time (ns/op) above 0");
    } else if (!fails(newer, r)) {
      bool const skipped = names(newer.skipped, r.plain);
      unmatched_.push_back(
          r.name + (skipped ? ": skipped in the new program" : ": only in the old program"));
      gone_.push_back(r.name);
    }
  }
  for (auto const& r : newer.results) {
    if (has(older, r) || fails(older, r)) continue;
    char const* const why = names(older.timeless, r.plain)
                                ? ": in the old program it reports no time (ns/op) above 0"
                            : names(older.skipped, r.plain) ? ": skipped in the old program"
                                                            : ": only in the new program";
    unmatched_.push_back(r.name + why);
  }
  match_rest(older, newer);
  for (auto const& f : older.failures) {
    failures_.push_back(fmt::format("{}: in the old program {}", f.name, f.why));
  }
  for (auto const& f : newer.failures) {
    failures_.push_back(fmt::format("{}: in the new program {}", f.name, f.why));
  }
}

// match_rest says of what has a time in neither program why there is no row.
void session::match_rest(report const& older, report const& newer) {
  auto const plain_in = [](report const& in, std::string const& name) {
    return std::ranges::find(in.results, name, &reported::plain) != in.results.end();
  };
  for (auto const& name : older.timeless) {
    if (names(newer.timeless, name)) {
      unmatched_.push_back(name + ": reports no time (ns/op) above 0: nothing to compare");
    } else if (!plain_in(newer, name)) {
      unmatched_.push_back(name + ": only in the old program");
      gone_.push_back(name);
    }
  }
  for (auto const& name : newer.timeless) {
    if (names(older.timeless, name) || plain_in(older, name)) continue;
    unmatched_.push_back(name + ": only in the new program");
  }
  for (auto const& name : older.skipped) {
    bool const both = names(newer.skipped, name);
    if (both) unmatched_.push_back(name + ": skipped in both programs");
  }
}

void session::compare_all() {
  // So that the chance of a false alarm is that for all benchmarks together.
  limits by = asked_.by;
  by.alpha /= static_cast<double>(compared_.size());
  auto const begin = [&](compared& one) {
    one.by = std::make_unique<comparison>(by, asked_.seed, sums_);
  };
  for (compared& one : compared_) {
    begin(one);
    if (interrupted()) continue;
    one.failure = compare(one, by);
    if (terminal_) fmt::print(stderr, "\r\033[K");
    if (interrupted()) one.failure = nullptr;
    if (one.failure) {
      begin(one);  // half of it says nothing
    } else {
      one.by->finish();
    }
  }
}

error session::compare(compared& one, limits const& by) {
  time_point const begun = internal::now();
  watch kernel;
  pace of;
  of.older_seconds = VOLE_TRY(programs_->seconds_per_op(arm::older, one.what, asked_.slice), "old");
  of.newer_seconds = VOLE_TRY(programs_->seconds_per_op(arm::newer, one.what, asked_.slice), "new");
  one.iterations = slice_iterations(of, asked_.slice);
  double const least = least_seconds(of, one.iterations, by, sums_);
  if (least > std::chrono::duration<double>(asked_.time).count()) {
    return errors::make(
        "an operation takes {} in the old program, {} in the new one: what can prove anything "
        "takes {:.0f} s at the least, give it more -time",
        shown_seconds(of.older_seconds), shown_seconds(of.newer_seconds), std::ceil(least));
  }
  while (!one.by->decided() && internal::now() - begun < asked_.time) {
    arm const next = one.by->next();
    auto const got = VOLE_TRY(programs_->measure(next, one.what, one.iterations), "{}",
                              next == arm::newer ? "new" : "old");
    auto const why_not = asked_.keeps_disturbed ? std::nullopt : kernel.judge(got.disturbed);
    one.by->add({got.what.seconds_per_op, got.what.line}, why_not);
    show_progress(one);
  }
  return nullptr;
}

void session::show_progress(compared const& one) const {
  if (!terminal_) return;
  judgement const& now = one.by->result();
  std::string tail = fmt::format(": {} blocks", one.by->blocks());
  if (now.p < 1) tail += fmt::format(", so far {}", percent(now.change));
  std::size_t const columns = bench::terminal_columns(STDERR_FILENO);
  // A full line would wrap.
  fmt::print(stderr, "\r\033[K{}",
             bench::fitted("", one.what.name, tail, columns > 1 ? columns - 1 : 0));
  std::fflush(stderr);
}

bool session::complete() const {
  return failures_.empty() &&
         std::ranges::none_of(compared_, [](compared const& one) { return bool(one.failure); });
}

std::string session::table() const {
  std::string text = fmt::format("old: {}\nnew: {}\n\n", asked_.older.name, asked_.newer.name);
  std::size_t width = std::string_view("benchmark").size();
  std::vector<double> p_values;
  for (compared const& one : compared_) {
    width = std::max(width, one.what.name.size());
    p_values.push_back(one.by->result().p);
  }
  text += fmt::format(columns, "benchmark", width, "old", "new", "change", "interval", "p", "floor",
                      "blocks", "verdict");
  std::vector<double> const adjusted = holm(p_values);
  for (std::size_t i = 0; i < compared_.size(); ++i) {
    text += row(compared_[i], adjusted[i], width);
  }
  for (auto const& line : unmatched_) text += line + '\n';
  for (compared const& one : compared_) {
    if (one.failure) text += fmt::format("{}: not compared: {}\n", one.what.name, one.failure);
  }
  for (auto const& line : failures_) text += line + '\n';
  return text + discarded();
}

std::string session::row(compared const& one, double p, std::size_t name_width) const {
  if (one.failure) {
    return fmt::format(columns, one.what.name, name_width, "-", "-", "-", "-", "-", "-", 0,
                       "not compared");
  }
  judgement const& found = one.by->result();
  std::string const interval =
      one.by->blocks() == 0 ? "-"
                            : fmt::format("[{}, {}]", percent(found.low), percent(found.high));
  return fmt::format(
      columns, one.what.name, name_width, shown_seconds(median_seconds(one.by->kept(arm::older))),
      shown_seconds(median_seconds(one.by->kept(arm::newer))), percent(found.change), interval,
      p < 0.0001 ? "<0.0001" : fmt::format("{:.4f}", p), fmt::format("{:.1f}%", found.floor * 100),
      one.by->blocks(), to_text(found.verdict));
}

std::string session::discarded() const {
  std::size_t kept = 0;
  std::size_t all_discarded = 0;
  std::size_t blockless = 0;
  std::string why;
  for (compared const& one : compared_) {
    kept += 2 * arms * one.by->blocks();
    blockless += one.by->blockless();
  }
  for (reason const r :
       {reason::steal, reason::throttling, reason::migrations, reason::other_load}) {
    std::size_t discarded = 0;
    for (compared const& one : compared_) discarded += one.by->discarded(r);
    all_discarded += discarded;
    why += fmt::format("{} {}, ", to_text(r), discarded);
  }
  all_discarded += blockless;
  std::string text =
      fmt::format("\n{} slices kept, {} discarded ({}of blocks left incomplete {})\n", kept,
                  all_discarded, why, blockless);
  if (!meter_.why_no_migrations().empty()) {
    text += fmt::format("migrations between processors are not seen here: {}\n",
                        meter_.why_no_migrations());
  }
  bool const unsure = std::ranges::any_of(compared_, [](compared const& one) {
    return !one.failure && one.by->result().verdict == verdict::cannot_tell;
  });
  if (!unsure) return text;
  return text + fmt::format("where it cannot tell: give it more -time{}\n",
                            all_discarded > kept ? ", or a machine that does less besides" : "");
}

error session::write_files() const {
  if (asked_.folder.empty()) return nullptr;
  std::filesystem::path const folder(asked_.folder);
  if (auto err = write_file(folder / "old.txt", old_labels_, arm::older)) return err;
  return write_file(folder / "new.txt", new_labels_, arm::newer);
}

error session::write_file(std::filesystem::path const& path, std::string const& labels,
                          arm of) const {
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "w"), &std::fclose);
  if (file == nullptr) {
    return errors::make("write {}: {}", path.string(), internal::sys_error_text(errno));
  }
  std::string text = labels;
  for (compared const& one : compared_) {
    for (auto const& s : one.by->kept(of)) text += s.line + '\n';
  }
  VOLE_TRY(bench::write_out(file.get(), text), "write {}", path.string());
  return nullptr;
}

session::gate_result session::gate() {
  gate_result made;
  if (asked_.by.gate <= 0) return made;
  double const gate = std::log1p(asked_.by.gate);
  for (compared const& one : compared_) {
    judgement const& found = one.by->result();
    if (!found.beyond_gate) continue;
    made.tripped = true;
    made.text += fmt::format("\ngate: {} is more than {} slower: {} at the least\n", one.what.name,
                             percent(gate), percent(found.low));
    made.text += growth_of(one);
  }
  if (!made.tripped) {
    made.text = fmt::format("\ngate: no slowdown beyond {} is proven{}\n", percent(gate),
                            complete() ? "" : ", but not all could be compared");
  }
  made.gone = !gone_.empty();
  if (made.gone) {
    made.text += fmt::format("\ngate: the new program has no result for what the old one has: {}\n",
                             fmt::join(gone_, ", "));
  }
  return made;
}

std::string session::growth_of(compared const& one) {
  // As many operations as take a second, for each program.
  constexpr double seconds = 1;
  auto const operations = [&](arm of) {
    return std::max<std::int64_t>(1, std::llround(seconds / median_seconds(one.by->kept(of))));
  };
  auto const profiled = [&](arm of) -> result<self_seconds> {
    std::string const file =
        VOLE_TRY(programs_->profile(of, one.what, operations(of)), "cpu profile");
    return read_profile(file);
  };
  auto const older = profiled(arm::older);
  auto const newer = older ? profiled(arm::newer) : older;
  if (!newer) return fmt::format("  which functions grew is not known: {}\n", newer.error());
  auto const list = grown(*older, static_cast<double>(operations(arm::older)), *newer,
                          static_cast<double>(operations(arm::newer)));
  constexpr std::size_t shown_max = 5;
  std::string text = "  functions that grew (their own time in an operation, from CPU profiles):\n";
  for (std::size_t i = 0; i < std::min(shown_max, list.size()); ++i) {
    growth const& g = list[i];
    text += fmt::format("    {:>9} -> {:>9}  {}\n", shown_seconds(g.older), shown_seconds(g.newer),
                        g.function);
  }
  return text;
}

}  // namespace

int run(std::vector<std::string> const& arguments) {
  auto parsed = parse_options(arguments);
  if (auto const* end = std::get_if<usage_end>(&parsed)) {
    fmt::print(stderr, "{}", end->text);
    return end->status;
  }
  listen_for_interrupts();
  session all(std::get<options>(std::move(parsed)));
  int status = 0;
  auto const note = [&](error const& err) {
    if (!err) return;
    fmt::print(stderr, "vole bench ab: {}\n", err);
    status = failed_status;
  };
  error lost;
  auto const print = [&](std::string const& text) {
    if (lost || text.empty()) return;
    lost = bench::write_out(stdout, text);
    if (lost) note(errors::wrap(lost, "write the results to standard output"));
  };
  note(all.prepare());
  if (status != 0) return status;
  all.compare_all();
  if (!all.complete()) status = failed_status;
  print(all.table());
  session::gate_result gate;
  if (interrupted()) {
    note(errors::make("interrupted; the above is what was known then"));
  } else {
    gate = all.gate();
    print(gate.text);
  }
  note(all.write_files());
  if (gate.tripped) return gate_status;
  return gate.gone ? gone_status : status;
}

}  // namespace vole::ab
