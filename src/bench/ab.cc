// SPDX-License-Identifier: Apache-2.0
// No shared state.
#include "bench/ab.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <filesystem>
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

namespace vole::ab {
namespace {

constexpr int gate_status = 1;
constexpr int failed_status = 2;

// One benchmark that both programs have.
struct compared {
  std::string name;
  std::int64_t iterations = 0;  // of a slice
  std::unique_ptr<comparison> by = nullptr;
};

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
  error compare_all();
  void print() const;
  error write_files() const;
  int gate();

 private:
  error compare(compared& one);
  void show_progress(compared const& one) const;
  void print_row(compared const& one, double p, std::size_t name_width) const;
  void print_discarded() const;
  void print_growth(compared const& one);
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
  std::vector<std::string> unmatched_;  // "Name: only in the old program"
};

error session::prepare() {
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
  auto const has = [](report const& in, std::string const& name) {
    return std::ranges::find(in.results, name, &reported::name) != in.results.end();
  };
  for (auto const& r : older.results) {
    if (!has(newer, r.name)) {
      unmatched_.push_back(r.name + ": only in the old program");
    } else if (std::ranges::find(compared_, r.name, &compared::name) == compared_.end()) {
      compared_.push_back({r.name});
    }
  }
  for (auto const& r : newer.results) {
    if (!has(older, r.name)) unmatched_.push_back(r.name + ": only in the new program");
  }
  if (compared_.empty()) return errors::make("the programs have no benchmark in common");
  return nullptr;
}

error session::compare_all() {
  // So that the chance of a false alarm is that for all benchmarks together.
  limits by = asked_.by;
  by.alpha /= static_cast<double>(compared_.size());
  for (compared& one : compared_) {
    one.by = std::make_unique<comparison>(by, asked_.seed, sums_);
    if (interrupted()) continue;
    auto const err = compare(one);
    if (terminal_) fmt::print(stderr, "\r\033[K");
    if (err && !interrupted()) return err;
    one.by->finish();
  }
  return nullptr;
}

error session::compare(compared& one) {
  time_point const begun = internal::now();
  watch kernel;
  one.iterations = VOLE_TRY(programs_->calibrate(one.name, asked_.slice), "old");
  while (!one.by->decided() && internal::now() - begun < asked_.time) {
    arm const next = one.by->next();
    auto const got = VOLE_TRY(programs_->measure(next, one.name, one.iterations), "{}",
                              next == arm::newer ? "new" : "old");
    one.by->add({got.what.seconds_per_op, got.what.line}, kernel.judge(got.disturbed));
    show_progress(one);
  }
  return nullptr;
}

void session::show_progress(compared const& one) const {
  if (!terminal_) return;
  judgement const& now = one.by->result();
  fmt::print(stderr, "\r\033[K{}: {} blocks", one.name, one.by->blocks());
  if (now.p < 1) fmt::print(stderr, ", so far {}", percent(now.change));
  std::fflush(stderr);
}

void session::print() const {
  fmt::print("old: {}\nnew: {}\n\n", asked_.older.name, asked_.newer.name);
  std::size_t width = std::string_view("benchmark").size();
  std::vector<double> p_values;
  for (compared const& one : compared_) {
    width = std::max(width, one.name.size());
    p_values.push_back(one.by->result().p);
  }
  fmt::print("{:<{}}  {:>9}  {:>9}  {:>7}  {:<17}  {:>7}  {:>5}  {:>6}  verdict\n", "benchmark",
             width, "old", "new", "change", "interval", "p", "floor", "blocks");
  std::vector<double> const adjusted = holm(p_values);
  for (std::size_t i = 0; i < compared_.size(); ++i) print_row(compared_[i], adjusted[i], width);
  for (auto const& line : unmatched_) fmt::print("{}\n", line);
  print_discarded();
}

void session::print_row(compared const& one, double p, std::size_t name_width) const {
  judgement const& found = one.by->result();
  std::string const interval =
      one.by->blocks() == 0 ? "-"
                            : fmt::format("[{}, {}]", percent(found.low), percent(found.high));
  fmt::print("{:<{}}  {:>9}  {:>9}  {:>7}  {:<17}  {:>7}  {:>5}  {:>6}  {}\n", one.name, name_width,
             shown_seconds(median_seconds(one.by->kept(arm::older))),
             shown_seconds(median_seconds(one.by->kept(arm::newer))), percent(found.change),
             interval, p < 0.0001 ? "<0.0001" : fmt::format("{:.4f}", p),
             fmt::format("{:.1f}%", found.floor * 100), one.by->blocks(), to_text(found.verdict));
}

void session::print_discarded() const {
  std::size_t kept = 0;
  std::size_t all_discarded = 0;
  std::string why;
  for (compared const& one : compared_) kept += 2 * arms * one.by->blocks();
  for (reason const r :
       {reason::steal, reason::throttling, reason::migrations, reason::other_load}) {
    std::size_t discarded = 0;
    for (compared const& one : compared_) discarded += one.by->discarded(r);
    all_discarded += discarded;
    why += fmt::format("{}{} {}", why.empty() ? "" : ", ", to_text(r), discarded);
  }
  fmt::print("\n{} slices kept, {} discarded ({})\n", kept, all_discarded, why);
  if (!meter_.why_no_migrations().empty()) {
    fmt::print("migrations between processors are not seen here: {}\n", meter_.why_no_migrations());
  }
  bool const unsure = std::ranges::any_of(compared_, [](compared const& one) {
    return one.by->result().verdict == verdict::cannot_tell;
  });
  if (!unsure) return;
  fmt::print("where it cannot tell: give it more -time{}\n",
             all_discarded > kept ? ", or a machine that does less besides" : "");
}

error session::write_files() const {
  if (asked_.folder.empty()) return nullptr;
  std::filesystem::path const folder(asked_.folder);
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed) return errors::make("make the folder {}: {}", asked_.folder, failed.message());
  if (auto err = write_file(folder / "old.txt", old_labels_, arm::older)) return err;
  return write_file(folder / "new.txt", new_labels_, arm::newer);
}

error session::write_file(std::filesystem::path const& path, std::string const& labels,
                          arm of) const {
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "w"), &std::fclose);
  if (file == nullptr) {
    return errors::make("write {}: {}", path.string(), internal::sys_error_text(errno));
  }
  fmt::print(file.get(), "{}", labels);
  for (compared const& one : compared_) {
    for (auto const& s : one.by->kept(of)) fmt::print(file.get(), "{}\n", s.line);
  }
  if (std::fflush(file.get()) != 0) {
    return errors::make("write {}: {}", path.string(), internal::sys_error_text(errno));
  }
  return nullptr;
}

int session::gate() {
  if (asked_.by.gate <= 0) return 0;
  double const gate = std::log1p(asked_.by.gate);
  int status = 0;
  for (compared const& one : compared_) {
    judgement const& found = one.by->result();
    if (!found.beyond_gate) continue;
    status = gate_status;
    fmt::print("\ngate: {} is more than {} slower: {} at the least\n", one.name, percent(gate),
               percent(found.low));
    print_growth(one);
  }
  if (status == 0) fmt::print("\ngate: no slowdown beyond {} is proven\n", percent(gate));
  return status;
}

void session::print_growth(compared const& one) {
  // As many operations as take a second, in both programs.
  constexpr double seconds = 1;
  auto const iterations =
      std::max<std::int64_t>(1, std::llround(seconds / median_seconds(one.by->kept(arm::older))));
  auto const profiled = [&](arm of) -> result<self_seconds> {
    std::string const file = VOLE_TRY(programs_->profile(of, one.name, iterations), "cpu profile");
    return read_profile(file);
  };
  auto const older = profiled(arm::older);
  auto const newer = older ? profiled(arm::newer) : older;
  if (!newer) {
    fmt::print("  which functions grew is not known: {}\n", newer.error());
    return;
  }
  double const operations = static_cast<double>(iterations);
  auto const list = grown(*older, operations, *newer, operations);
  constexpr std::size_t shown_max = 5;
  fmt::print("  functions that grew (their own time in an operation, from CPU profiles):\n");
  for (std::size_t i = 0; i < std::min(shown_max, list.size()); ++i) {
    growth const& g = list[i];
    fmt::print("    {:>9} -> {:>9}  {}\n", shown_seconds(g.older), shown_seconds(g.newer),
               g.function);
  }
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
  auto const failed = [](error const& err) {
    fmt::print(stderr, "vole bench ab: {}\n", err);
    return failed_status;
  };
  if (auto const err = all.prepare()) return failed(err);
  if (auto const err = all.compare_all()) return failed(err);
  all.print();
  if (auto const err = all.write_files()) return failed(err);
  if (!interrupted()) return all.gate();
  fmt::print(stderr, "vole bench ab: interrupted; the above is what was known then\n");
  return failed_status;
}

}  // namespace vole::ab
