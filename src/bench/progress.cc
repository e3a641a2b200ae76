// SPDX-License-Identifier: Apache-2.0
//
// The line of progress. What is shared: see the header.
// ORDERING ending_ is set by the destructor and read by the ticker; both relaxed, the join orders.

#include "bench/progress.h"

#include <algorithm>
#include <sys/ioctl.h>
#include <utility>

#include "vole/internal/format.h"

#include "base/futex.h"
#include "bench/interrupt.h"

namespace vole::bench {
namespace {

constexpr std::chrono::seconds tick_interval{1};

bool begins_character(char c) {
  return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
}

std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, begins_character));
}

std::string_view first_characters(std::string_view text, std::size_t count) {
  std::size_t at = 0;
  for (; at < text.size(); ++at) {
    if (begins_character(text[at]) && count-- == 0) break;
  }
  return text.substr(0, at);
}

}  // namespace

std::string fitted(std::string_view head, std::string_view name, std::string_view tail,
                   std::size_t columns) {
  std::string const whole = fmt::format("{}{}{}", head, name, tail);
  if (columns == 0 || characters(whole) <= columns) return whole;
  constexpr std::string_view dots = "...";
  std::size_t const rest = characters(head) + characters(tail) + dots.size();
  std::size_t const room = columns > rest ? columns - rest : 0;
  std::string const shorter =
      fmt::format("{}{}{}{}", head, first_characters(name, room), dots, tail);
  return std::string(first_characters(shorter, columns));
}

std::size_t terminal_columns(int fd) {
  winsize size{};
  return ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

std::string estimate_text(workload const& of) {
  using seconds = std::chrono::duration<double>;
  auto const gone = seconds(of.gone).count();
  auto const in_round = seconds(of.gone_in_round).count();
  std::string text = fmt::format("{:.0f}s gone", gone);
  double const a_round = of.rounds_done > 0
                             ? (gone - in_round) / static_cast<double>(of.rounds_done)
                             : seconds(of.round_time).count();
  if (a_round <= 0 || of.parts_done >= of.parts) return text;
  double const a_part = of.parts_done > 0 ? static_cast<double>(of.rounds_in_done) /
                                                static_cast<double>(of.parts_done)
                                          : of.rounds;
  double const rounds_left = of.rounds - of.round + 1;
  auto const parts_left = static_cast<double>(of.parts - of.parts_done - 1);
  double const left = a_round * (rounds_left + a_part * parts_left) - in_round;
  return text + fmt::format(", about {:.0f}s to go", std::max(left, 0.0));
}

progress::progress(std::FILE* log, how with, workload all)
    : log_(log), how_(with), work_(all), begun_(internal::monotonic_now()) {
  if (!how_.on || !how_.ticks) return;
  // tidy: std::thread, a goroutine would take part in what is measured
  ticker_ = std::thread([this] { keep_ticking(); });
}

progress::~progress() {
  if (!ticker_.joinable()) return;
  ending_.store(1, internal::memory_order_relaxed);  // relaxed, no partner: see ORDERING
  internal::futex_wake(ending_, 1);
  ticker_.join();
}

void progress::keep_ticking() {
  // relaxed, no partner: see ORDERING.
  auto const ends = [this] { return ending_.load(internal::memory_order_relaxed) != 0; };
  while (!ends()) {
    time_point const next = internal::monotonic_now() + tick_interval;
    while (!ends() && internal::futex_wait(ending_, 0, next)) {
    }
    if (!ends()) tick();
  }
}

void progress::begin(std::string_view name, int round) {
  internal::raw_lock const lock(mu_);
  work_.round = round;
  name_ = work_.rounds > 1 ? fmt::format("{} ({}/{})", name, round, work_.rounds) : name;
  round_begun_ = internal::monotonic_now();
  interrupt::now_doing(how_.counts ? fmt::format("{}: {} of {} benchmarks are complete", name_,
                                                 work_.parts_done, work_.parts)
                                   : name_);
  draw();
}

void progress::show() {
  internal::raw_lock const lock(mu_);
  draw();
}

void progress::draw() {
  if (!how_.on) return;
  shown_ = true;
  time_point const t = internal::monotonic_now();
  work_.gone = t - begun_;
  work_.gone_in_round = t - round_begun_;
  std::size_t const columns = terminal_columns(fileno(log_));
  // A full line would wrap.
  std::string const line = fitted(fmt::format("[{}/{}] ", work_.parts_done + 1, work_.parts), name_,
                                  "  " + estimate_text(work_), columns > 1 ? columns - 1 : 0);
  fmt::print(log_, "\r\x1b[K{}", line);
  std::fflush(log_);
}

void progress::tick() {
  internal::raw_lock const lock(mu_);
  if (shown_) draw();
}

void progress::clear() {
  internal::raw_lock const lock(mu_);
  if (!std::exchange(shown_, false)) return;
  fmt::print(log_, "\r\x1b[K");
  std::fflush(log_);
}

void progress::round_done() {
  internal::raw_lock const lock(mu_);
  ++work_.rounds_done;
}

void progress::part_done() {
  internal::raw_lock const lock(mu_);
  ++work_.parts_done;
  work_.rounds_in_done = work_.rounds_done;
}

std::size_t progress::parts_done() const {
  internal::raw_lock const lock(mu_);
  return work_.parts_done;
}

}  // namespace vole::bench
