// SPDX-License-Identifier: Apache-2.0
// No shared state.
#include "bench/ab_plan.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace vole::ab {
namespace {

// The first look has the least blocks whose p value can be small enough, with some to spare.
constexpr std::size_t first_look = 16;
// Each look has half as many blocks again as the one before.
constexpr std::size_t next_look_after(std::size_t blocks) {
  return blocks + blocks / 2;
}

}  // namespace

std::int64_t slice_iterations(pace const& of, std::chrono::nanoseconds slice) {
  double const slower = std::max(of.older_seconds, of.newer_seconds);
  double const wanted = std::chrono::duration<double>(slice).count() / slower;
  return std::max<std::int64_t>(1, std::llround(wanted));
}

double least_seconds(pace const& of, std::int64_t iterations, limits const& by, rank_sums& sums) {
  int const blocks = least_differences(spent_alpha(by.alpha, 1), sums);
  double const block = 2 * (2 * of.older_seconds + of.newer_seconds);
  return blocks * block * static_cast<double>(iterations);
}

std::string_view to_text(reason why) {
  switch (why) {
    case reason::steal:
      return "steal";
    case reason::throttling:
      return "throttling";
    case reason::migrations:
      return "migrations";
    case reason::other_load:
      break;
  }
  return "other load";
}

std::optional<reason> watch::judge(disturbance const& d) {
  // The kernel counts steal and other processes' time in ticks of 10 ms, and those of a slice may
  // have begun before it. A tick of steal spoils a slice of 20 ms, not one of a second.
  constexpr double tick = 0.010;
  constexpr double stolen_share_max = 0.02;
  if (d.throttles > 0) return reason::throttling;
  if (d.stolen_seconds > std::max(tick / 2, stolen_share_max * d.wall_seconds)) {
    return reason::steal;
  }
  if (d.others_seconds > tick + 0.25 * d.wall_seconds) return reason::other_load;
  if (d.migrations < 0) return std::nullopt;
  migrations_.push_back(d.migrations);
  constexpr std::size_t usual_after = 6;
  if (migrations_.size() <= usual_after) return std::nullopt;
  auto sorted = migrations_;
  auto const middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
  std::ranges::nth_element(sorted, middle);
  // A program that never migrates is allowed two: the start and the wake of a helper thread.
  if (d.migrations > 3 * *middle + 2) return reason::migrations;
  return std::nullopt;
}

comparison::comparison(limits by, std::uint64_t seed, rank_sums& sums)
    : by_(by), sums_(sums), random_(seed), next_look_(first_look) {
  begin_block();
}

void comparison::begin_block() {
  // Fisher and Yates; std::shuffle may differ between libraries.
  for (std::size_t i = arms - 1; i > 0; --i) std::swap(order_[i], order_[random_() % (i + 1)]);
  slot_ = 0;
  tries_ = 0;
}

arm comparison::next() const {
  return order_[slot_ < arms ? slot_ : slots - 1 - slot_];
}

void comparison::add(sample measured, std::optional<reason> disturbed) {
  if (disturbed) {
    ++discarded_[static_cast<std::size_t>(*disturbed)];
    if (++tries_ < tries_max) return;
    thrown_away_ += slot_;
    begin_block();
    return;
  }
  samples_[slot_] = std::move(measured);
  tries_ = 0;
  if (++slot_ == slots) end_block();
}

void comparison::end_block() {
  std::array<double, arms> logs{};
  for (std::size_t i = 0; i < slots; ++i) {
    auto const of = static_cast<std::size_t>(order_[i < arms ? i : slots - 1 - i]);
    logs[of] += std::log(samples_[i].seconds_per_op) / 2;
    kept_[of].push_back(std::move(samples_[i]));
  }
  differences_.push_back(logs[1] - logs[0]);
  nulls_.push_back(logs[2] - logs[0]);
  begin_block();
  if (differences_.size() >= next_look_) look();
}

void comparison::look() {
  looked_at_ = differences_.size();
  next_look_ = next_look_after(looked_at_);
  now_ = judge(differences_, nulls_, by_, ++looks_, now_.p, sums_);
}

void comparison::finish() {
  if (!now_.decided && differences_.size() > looked_at_) look();
}

}  // namespace vole::ab
