// SPDX-License-Identifier: Apache-2.0
//
// The order of things is Go's: each benchmark runs once with one iteration (which finds its
// sub-benchmarks), then, unless it has sub-benchmarks, with growing counts until one round lasts
// long enough; that -count times in a row. No shared state.
// Source: Go testing/benchmark.go (launch, processBench, Run).

#include "bench/runner.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>

#include "vole/internal/format.h"
#include "vole/runtime.h"

#include "bench/callgrind.h"
#include "bench/interrupt.h"
#include "bench/profiles.h"
#include "bench/sanity.h"
#include "bench/state.h"

namespace vole::bench {
namespace {

constexpr std::int64_t callgrind_n = 100;  // unless -benchtime says another

#if defined(__x86_64__)
constexpr std::string_view go_arch = "amd64";
#else
constexpr std::string_view go_arch = "arm64";
#endif

long thread_id() {
  return syscall(SYS_gettid);
}

}  // namespace

runner::runner(flags options, selection which, std::string package, sink& out, std::FILE* log)
    : options_(std::move(options)),
      which_(std::move(which)),
      package_(std::move(package)),
      out_(out),
      log_(log),
      procs_(runtime::max_procs()),
      name_width_(static_cast<std::size_t>(options_.child_name_width)),
      labels_printed_(!options_.child_of.empty() && !options_.child_labels) {
  if (options_.in_valgrind() && options_.benchtime_n == 0) {
    options_.benchtime_n = callgrind_n;
  }
}

// --- what is printed ---

void runner::print(std::string const& text) {
  progress_->clear();
  out_.write(text);
  interrupt::line_open(!text.ends_with('\n'));
}

void runner::note(std::string_view text) {
  progress_->clear();
  fmt::print(log_, "{}\n", text);
  std::fflush(log_);
}

void runner::print_labels() {
  if (std::exchange(labels_printed_, true)) return;
  std::string labels = fmt::format("goos: linux\ngoarch: {}\n", go_arch);
  if (!package_.empty()) labels += fmt::format("pkg: {}\n", package_);
  if (std::string const cpu = process_cpu_name(); !cpu.empty()) {
    labels += fmt::format("cpu: {}\n", cpu);
  }
  if (options_.in_valgrind()) labels += "Unit instructions/op assume=exact\n";
  print(labels);
}

// Logs are shortened to ten lines, as Go does; those of a failure are not.
void runner::print_log(benchmark_state const& b, std::string const& full) {
  constexpr std::size_t lines_max = 10;
  std::vector<std::string> const lines = b.said.lines();
  if (lines.empty()) return;
  progress_->clear();
  bool const failed = b.said.failed();
  if (!failed && !b.said.skipped()) fmt::print(log_, "--- BENCH: {}\n", full);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i == lines_max && !failed) {
      fmt::print(log_, "    ... {} more\n", lines.size() - i);
      break;
    }
    std::string text = lines[i];
    for (std::size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += 9) {
      text.replace(at, 1, "\n        ");
    }
    fmt::print(log_, "    {}: {}\n", b.name, text);
  }
  std::fflush(log_);
}

void runner::print_failure(benchmark_state const& b, std::string const& full) {
  print(fmt::format("{}--- FAIL: {}\n", mark(), full));
  print_log(b, full);
}

// print_skip is for one that ends itself when it has run for a while: there is no result.
void runner::print_skip(benchmark_state const& b, std::string const& full) {
  if (options_.verbose) {
    print(fmt::format("{}--- SKIP: {}\n", mark(), full));
  } else if (prints_name_first()) {
    print("\n");  // the name stands there already
  }
  print_log(b, full);
}

void runner::print_name(std::string const& name) {
  print_labels();
  if (!mark().empty()) print(fmt::format("{}=== RUN   {}\n", mark(), name));
  print(name + '\n');
}

// voice_doubts says once for each benchmark what speaks against its figure.
void runner::voice_doubts(benchmark_state const& b, std::string const& full) {
  benchmark_state const& s = b;
  if (s.out_of_patience) {
    using seconds = std::chrono::duration<double>;
    note(
        fmt::format("{}: measured {:.3g}s of the {:.3g}s asked for: stopped and reset timers left "
                    "out {:.3g}s, and three times -benchtime is the most they may",
                    full, seconds(s.measured).count(), seconds(options_.benchtime).count(),
                    seconds(s.hidden).count()));
  }
  if (s.reset_within && b.n > 1) {
    note(
        fmt::format("{}: reset_timer was called within the work: ns/op is the time since the last "
                    "call, divided by all {} iterations; leave out with stop_timer and "
                    "start_timer",
                    full, std::int64_t{b.n}));
  }
  if (options_.once() || options_.in_valgrind()) return;
  if (!s.below_clock.empty() && !std::exchange(grain_said_, true)) {
    note(
        fmt::format("{}: no {}: less than a reading of the clock takes ({:.0f} ns); likewise "
                    "where they are missing below",
                    full, s.below_clock, clock_cost_ns()));
  }
  std::string const text = doubt({.n = b.n,
                                  .time = s.measured,
                                  .stretches = s.parallel_bodies > 1 ? 1 : s.stretches,
                                  .used_loop = s.loop_begun,
                                  .bodies = std::min(s.parallel_bodies, procs_)});
  if (!text.empty()) note(fmt::format("{}: {}", full, text));
}

std::string runner::growth_so_far() const {
  bool const in_valgrind = options_.in_valgrind();
  if (options_.once() && !in_valgrind) return {};  // single cold calls have no growth
  std::string text;
  for (auto const& [family, points] : families_) {
    std::string const one = growth_text(points, in_valgrind ? "instructions" : "ns");
    if (!one.empty()) text += fmt::format("{}: {}\n", full_name(family, procs_), one);
  }
  return text;
}

void runner::fit_growth() {
  std::string text = growth_so_far();
  families_.clear();
  interrupt::so_far({});
  if (text.empty()) return;
  text.pop_back();
  note(text);
}

// --- what is run ---

runner::handle runner::make(std::string name, std::function<void(benchmark_state&)> body) {
  auto own = std::make_unique<benchmark_state>();
  own->owner = this;
  own->options = &options_;
  own->counted = options_.counters ? &counters_ : nullptr;
  own->name = std::move(name);
  own->body = std::move(body);
  own->kept = std::make_shared<std::vector<std::shared_ptr<void>>>();
  return own;
}

runner::handle runner::make_again(benchmark_state const& b) {
  handle next = make(b.name, b.body);
  next->kept = b.kept;
  return next;
}

// calibrate_counters counts what a stretch without any work counts.
void runner::calibrate_counters() {
  handle const empty = make("", {});
  counters_.calibrate([&] {
    empty->clear_measure();
    empty->start_timer();
    empty->stop_timer();
    return empty->counts_measured;
  });
}

bool runner::run(std::vector<registration const*> const& entries) {
  if (name_width_ == 0) {
    name_width_ = static_cast<std::size_t>(name_width(entries, procs_));
  }
  progress::how const how{options_.progress, true, options_.child_of.empty()};
  duration const round_time = options_.benchtime_n > 0 ? duration{} : options_.benchtime;
  progress_ = std::make_unique<progress>(
      log_, how,
      workload{.parts = entries.size(), .rounds = options_.count, .round_time = round_time});
  if (options_.counters) {
    counters_.open();
    calibrate_counters();
    std::string const missing = counters_.complaint();
    bool const say = options_.child_of.empty() || options_.child_labels;
    if (say && !missing.empty()) note("-counters: " + missing);
  }
  bool good = true;
  for (registration const* e : entries) {
    bool const only_subs = which_.match(e->name) == match_kind::partial;
    good &= run_one("Benchmark" + e->name, e->body, only_subs);
    if (out_.lost() != 0) break;
    fit_growth();
    progress_->part_done();
  }
  progress_->clear();
  return good && out_.lost() == 0;
}

bool runner::run_sub(benchmark_state& parent, std::string_view sub,
                     std::function<void(benchmark_state&)> body) {
  benchmark_state& above = parent;
  above.profiles.reset();  // it is not measured itself
  if (out_.lost() != 0) return false;
  std::string name = above.name + '/' + above.sub_names.take(printable(sub));
  constexpr std::size_t prefix = std::string_view("Benchmark").size();
  match_kind const kind = which_.match(std::string_view(name).substr(prefix));
  if (kind == match_kind::none) return true;
  bool const good = run_one(std::move(name), std::move(body), kind == match_kind::partial);
  if (!good) above.said.fail();
  return good;
}

bool runner::run_one(std::string name, std::function<void(benchmark_state&)> body, bool only_subs) {
  // Go's slack, so that the column does not jump for each longer name of a sub-benchmark.
  constexpr std::size_t slack = 8;
  if (std::size_t const wanted = name.size() + full_name("", procs_).size() + 1;
      wanted > name_width_) {
    name_width_ = wanted + slack;
  }
  handle b = make(std::move(name), std::move(body));
  benchmark_state& s = *b;
  s.has_sub = only_subs;
  if (options_.verbose) print_name(s.name);
  progress_->begin(s.name, 1);
  s.profiles.emplace(options_, full_name(s.name, procs_));
  if (error err = only_subs ? error() : s.profiles->start()) {
    s.fail(fmt::format("{}", err));
  } else {
    run_n(*b, 1);
  }
  if (s.said.failed()) {
    print_failure(*b, s.name);
    return false;
  }
  if (s.has_sub || s.said.skipped()) {
    if (options_.verbose && s.said.skipped()) {
      print(fmt::format("{}--- SKIP: {}\n", mark(), s.name));
    }
    if (options_.verbose || !s.said.skipped()) print_log(*b, s.name);
    return true;
  }
  return run_measured(std::move(b));
}

bool runner::run_measured(handle b) {
  print_labels();
  std::string const full = full_name(b->name, procs_);
  benchmark_profiles profiles = *std::exchange(b->profiles, std::nullopt);
  bool good = true;
  bool skipped = false;
  for (int round = 0; round < options_.count && !skipped; ++round) {
    if (round > 0) {
      b = make_again(*b);
      progress_->begin(b->name, round + 1);
    }
    if (prints_name_first()) print(fmt::format("{:<{}}\t", full, name_width_));
    if (out_.lost() != 0) return false;
    if (round > 0) run_n(*b, 1);
    good &= run_round(*b, full);
    progress_->round_done();
    skipped = b->said.skipped();
    if (round == 0 && good && !skipped) voice_doubts(*b, full);
    if (skipped && round == 0) return good;  // nothing was measured
  }
  if (error err = profiles.finish()) {
    note(fmt::format("{}: {}", full, err));
    good = false;
  }
  return good;
}

bool runner::run_round(benchmark_state& b, std::string const& full) {
  if (!options_.in_valgrind()) {
    grow(b);
  } else {
    count_instructions(b);
  }
  benchmark_state const& s = b;
  if (s.said.failed()) {
    print_failure(b, full);
    return false;
  }
  if (s.said.skipped()) {
    print_skip(b, full);
    return true;
  }
  measurement const m = measured(b);
  std::string line = line_of(b, m) + '\n';
  if (!prints_name_first()) line = fmt::format("{:<{}}\t", full, name_width_) + line;
  print(line);
  if (!mark().empty()) print(fmt::format("{}=== NAME  \n", mark()));
  print_log(b, full);
  if (auto const n = n_of(s.name)) {
    bool const in_valgrind = options_.in_valgrind();
    double const value = in_valgrind ? m.extra.at("instructions/op") : ns_per_op(m);
    families_[family_of(s.name)].push_back({*n, value});
    interrupt::so_far(growth_so_far());
  }
  return true;
}

measurement runner::measured(benchmark_state const& b) const {
  benchmark_state const& s = b;
  measurement m{.n = b.n,
                .time = s.measured,
                .bytes_per_op = s.bytes,
                .blocks = s.blocks_measured.blocks,
                .block_bytes = s.blocks_measured.bytes,
                .extra = s.extra};
  auto const per_op = [&](double total) { return total / static_cast<double>(m.n); };
  if (s.counted != nullptr) {
    for (std::size_t i = 0; i < counters::how_many; ++i) {
      auto const which = static_cast<counters::which>(i);
      if (!s.counted->available(which) || std::isnan(s.counts_measured[i])) continue;
      m.extra.emplace(counters::unit_of(which), per_op(s.counts_measured[i]));
    }
  }
  if (!options_.in_valgrind()) return m;
  // Times mean nothing under valgrind.
  m.bytes_per_op = 0;
  std::erase_if(m.extra, [](auto const& e) { return e.first.ends_with("ns/op"); });
  m.extra["ns/op"] = 0;
  m.extra["instructions/op"] = per_op(static_cast<double>(s.instructions));
  return m;
}

std::string runner::line_of(benchmark_state const& b, measurement const& m) const {
  bool const counts = internal::malloc_count::read().blocks > 0;
  std::string line = to_line(m);
  if (counts && (options_.benchmem || b.show_allocs)) line += '\t' + to_memory_columns(m);
  return line;
}

// grow repeats b with more iterations until a round lasts benchtime. A body that uses loop() has
// done that itself. What stopped timers hide grows with n; the part of it that does not (set-up) is
// not held against the benchmark.
void runner::grow(benchmark_state& b) {
  benchmark_state& s = b;
  if (s.loop_begun || s.said.over()) return;
  if (options_.benchtime_n > 0) {
    // One iteration has been run already.
    if (options_.benchtime_n > 1) run_n(b, options_.benchtime_n);
    return;
  }
  std::int64_t last = 0;
  double last_hidden = 0;
  while (!s.said.over() && s.measured < options_.benchtime && b.n < iterations_max) {
    std::int64_t const now = b.n;
    auto const hidden = static_cast<double>(s.hidden.count());
    double const slope = std::max(0.0, (hidden - last_hidden) / static_cast<double>(now - last));
    std::int64_t const patient = patient_n(options_.benchtime, slope);
    if (patient <= now && last > 0) {
      s.out_of_patience = true;
      return;
    }
    std::int64_t const next = predict_n(options_.benchtime, now, s.measured, now);
    last = now;
    last_hidden = hidden;
    run_n(b, std::clamp(next, now + 1, std::max(now + 1, patient)));
  }
}

// count_instructions lets the benchmark run once more, warm, and asks callgrind what that took.
void runner::count_instructions(benchmark_state& b) {
  benchmark_state& s = b;
  if (s.said.over()) return;
  long const thread = thread_id();
  std::uint64_t const handoffs = runtime::read_stats().handoffs_total;
  run_n(b, options_.benchtime_n);
  if (s.said.over()) return;
  if (thread_id() != thread || runtime::read_stats().handoffs_total != handoffs) {
    b.said.log("the work went over several threads: the count is of one of them");
  }
  auto const counted = callgrind::take(options_.callgrind_dir, ++callgrind_serial_);
  if (!counted) return b.fail("callgrind wrote no counts into " + options_.callgrind_dir);
  s.instructions = *counted;
}

void runner::run_n(benchmark_state& b, std::int64_t n) {
  benchmark_state& s = b;
  static_cast<round_state&>(s) = round_state{};
  s.n = n;
  s.goroutine = runtime::goroutine_id();
  s.stopped = internal::monotonic_now();
  s.hidden = {};
  s.clear_measure();
  s.start_timer();
  if (error const err = caught([&] { s.body(s); })) s.fail(fmt::format("the body threw {}", err));
  s.stop_timer();
  while (!s.cleanups.empty()) {
    auto const last = std::move(s.cleanups.back());
    s.cleanups.pop_back();
    if (error const err = caught(last)) s.fail(fmt::format("a cleanup threw {}", err));
  }
  s.previous_n = n;
  s.previous_time = s.measured;
  if (s.said.over()) return;
  if (s.loop_begun && !s.loop_done) {
    b.fail("the body returned before b.loop() was false (break or return inside the loop?)");
  } else if (!s.loop_begun && !s.read_n && !s.has_sub) {
    b.fail("the body neither called b.loop() nor read b.n: nothing was measured");
  }
}

}  // namespace vole::bench
