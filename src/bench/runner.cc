// SPDX-License-Identifier: Apache-2.0
//
// The order of things is Go's: each benchmark runs once with one iteration (which finds its
// sub-benchmarks), then, unless it has sub-benchmarks, with growing counts until one round lasts
// long enough; that -count times in a row. No shared state.
// Source: Go testing/benchmark.go (launch, processBench, Run).

#include "bench/runner.h"

#include <algorithm>
#include <cstdint>
#include <fmt/format.h>
#include <fstream>
#include <utility>

#include "vole/runtime.h"

#include "bench/state.h"

namespace vole::bench {
namespace {

constinit registration* first_entry = nullptr;
constinit registration** last_link = &first_entry;

#if defined(__x86_64__)
constexpr std::string_view go_arch = "amd64";
#else
constexpr std::string_view go_arch = "arm64";
#endif

// printable makes a sub-benchmark's name one word that benchstat can read.
std::string printable(std::string_view name) {
  std::string word;
  for (char const c : name) {
    auto const byte = static_cast<unsigned char>(c);
    if (c == ' ' || (c >= '\t' && c <= '\r')) {
      word += '_';
    } else if (byte < 0x20 || byte == 0x7f) {
      word += fmt::format("\\x{:02x}", byte);
    } else {
      word += c;
    }
  }
  return word;
}

}  // namespace

registration::registration(std::string_view snake_name, void (*fn)(benchmark&))
    : name(camel_case(snake_name)), body(fn) {
  *last_link = this;
  last_link = &next;
}

std::vector<registration const*> registered() {
  std::vector<registration const*> entries;
  for (registration const* e = first_entry; e != nullptr; e = e->next) entries.push_back(e);
  return entries;
}

std::vector<registration const*> matching(pattern const& which) {
  std::vector<registration const*> chosen;
  for (registration const* e : registered()) {
    if (which.match(e->name) != match_kind::none) chosen.push_back(e);
  }
  return chosen;
}

int name_width(std::vector<registration const*> const& entries, int procs) {
  std::size_t const suffix = full_name("", procs).size();
  std::size_t width = 1;
  for (registration const* e : entries) {
    width = std::max(width, full_name("Benchmark" + e->name, procs).size() + suffix + 1);
  }
  return static_cast<int>(width);
}

std::string process_cpu_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (!line.starts_with("model name")) continue;
    std::size_t const colon = line.find(':');
    if (colon == std::string::npos) return {};
    std::size_t const from = line.find_first_not_of(" \t", colon + 1);
    return from == std::string::npos ? std::string{} : line.substr(from);
  }
  return {};
}

runner::runner(flags options, pattern which, std::string package, std::FILE* out, std::FILE* log)
    : options_(std::move(options)),
      which_(std::move(which)),
      package_(std::move(package)),
      out_(out),
      log_(log),
      procs_(runtime::max_procs()),
      name_width_(options_.child_name_width),
      labels_printed_(!options_.child_of.empty() && !options_.child_labels) {}

void runner::print(std::string const& text) {
  std::fwrite(text.data(), 1, text.size(), out_);
  std::fflush(out_);
}

void runner::print_labels() {
  if (std::exchange(labels_printed_, true)) return;
  std::string labels = fmt::format("goos: linux\ngoarch: {}\n", go_arch);
  if (!package_.empty()) labels += fmt::format("pkg: {}\n", package_);
  if (std::string const cpu = process_cpu_name(); !cpu.empty()) {
    labels += fmt::format("cpu: {}\n", cpu);
  }
  print(labels);
}

void runner::print_log(benchmark const& b) {
  benchmark::state const& s = *b.state_;
  if (!s.failed && !options_.verbose) return;
  for (std::string const& line : s.log) fmt::print(log_, "    {}: {}\n", s.name, line);
  std::fflush(log_);
}

runner::handle runner::make(std::string name, std::function<void(benchmark&)> body) {
  auto own = std::make_unique<benchmark::state>();
  own->owner = this;
  own->name = std::move(name);
  own->body = std::move(body);
  return handle(new benchmark(std::move(own)));
}

bool runner::run(std::vector<registration const*> const& entries) {
  if (name_width_ == 0) name_width_ = name_width(entries, procs_);
  bool good = true;
  for (registration const* e : entries) {
    bool const only_subs = which_.match(e->name) == match_kind::partial;
    good &= run_one("Benchmark" + e->name, e->body, only_subs);
  }
  return good;
}

bool runner::run_sub(benchmark& parent, std::string_view sub,
                     std::function<void(benchmark&)> body) {
  benchmark::state& above = *parent.state_;
  std::string name = above.name + '/' + printable(sub);
  if (int const seen = above.sub_names[std::string(sub)]++; seen > 0 || sub.empty()) {
    name += fmt::format("#{:02}", seen);
  }
  constexpr std::size_t prefix = std::string_view("Benchmark").size();
  match_kind const kind = which_.match(std::string_view(name).substr(prefix));
  if (kind == match_kind::none) return true;
  bool const good = run_one(std::move(name), std::move(body), kind == match_kind::partial);
  above.failed |= !good;
  return good;
}

bool runner::run_one(std::string name, std::function<void(benchmark&)> body, bool only_subs) {
  handle b = make(std::move(name), std::move(body));
  benchmark::state& s = *b->state_;
  s.has_sub = only_subs;
  if (options_.verbose) {
    print_labels();
    print(s.name + '\n');
  }
  run_n(*b, 1);
  if (s.failed) {
    print(fmt::format("--- FAIL: {}\n", s.name));
    print_log(*b);
    return false;
  }
  if (s.has_sub || s.skipped) {
    if (options_.verbose && s.skipped) print(fmt::format("--- SKIP: {}\n", s.name));
    print_log(*b);
    return true;
  }
  return run_measured(std::move(b));
}

bool runner::run_measured(handle b) {
  print_labels();
  bool good = true;
  for (int round = 0; round < options_.count; ++round) {
    std::string const name = full_name(b->state_->name, procs_);
    print(fmt::format("{:<{}}\t", name, name_width_));
    if (round > 0) {
      b = make(b->state_->name, b->state_->body);
      run_n(*b, 1);
    }
    grow(*b);
    benchmark::state const& s = *b->state_;
    if (s.failed) {
      print(fmt::format("--- FAIL: {}\n", name));
      print_log(*b);
      good = false;
      continue;
    }
    measurement const m{.n = b->n,
                        .time = s.measured,
                        .bytes_per_op = s.bytes,
                        .blocks = s.blocks_measured.blocks,
                        .block_bytes = s.blocks_measured.bytes,
                        .extra = s.extra};
    std::string line = to_line(m);
    bool const counts = internal::malloc_count::read().blocks > 0;
    if (counts && (options_.benchmem || s.show_allocs)) line += '\t' + to_memory_columns(m);
    print(line + '\n');
    print_log(*b);
  }
  return good;
}

// grow repeats b with more iterations until a round lasts benchtime. A body that uses loop() has
// done that itself.
void runner::grow(benchmark& b) {
  benchmark::state const& s = *b.state_;
  if (s.loop_begun || s.failed) return;
  if (options_.benchtime_n > 0) {
    // One iteration has been run already.
    if (options_.benchtime_n > 1) run_n(b, options_.benchtime_n);
    return;
  }
  while (!s.failed && s.measured < options_.benchtime && b.n < iterations_max) {
    run_n(b, predict_n(options_.benchtime, b.n, s.measured, b.n));
  }
}

void runner::run_n(benchmark& b, std::int64_t n) {
  benchmark::state& s = *b.state_;
  b.n = n;
  b.loop_turn_ = 0;
  b.loop_target_ = 0;
  s.loop_begun = false;
  s.loop_done = false;
  s.parallelism = 1;
  b.reset_timer();
  b.start_timer();
  s.body(b);
  b.stop_timer();
  s.previous_n = n;
  s.previous_time = s.measured;
  if (s.loop_begun && !s.loop_done && !s.failed && !s.skipped) {
    b.fail("the body returned before b.loop() was false (break or return inside the loop?)");
  }
}

}  // namespace vole::bench
