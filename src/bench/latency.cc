// SPDX-License-Identifier: Apache-2.0
//
// The histogram of run_parallel.
//
// INVARIANTS
//   - Durations below 32 ns have a class each; from there on the class is the position of the
//     highest bit and the five bits below it.
// LOCKS none. ORDERING all relaxed: counts order nothing, and the reader comes after the writers
//   have ended.
// Source: the layout of HdrHistogram (Gil Tene), with two significant digits.

#include "bench/latency.h"

#include <algorithm>
#include <bit>

namespace vole::bench {

std::size_t latency_histogram::class_of(std::uint64_t ns) noexcept {
  if (ns < per_power) return static_cast<std::size_t>(ns);
  int const top = std::bit_width(ns) - 1;
  if (top >= powers) return classes - 1;
  auto const sub = static_cast<std::size_t>(ns >> (top - sub_bits)) - per_power;
  return static_cast<std::size_t>(top - sub_bits + 1) * per_power + sub;
}

double latency_histogram::middle_of(std::size_t index) noexcept {
  if (index < per_power) return static_cast<double>(index);
  int const shift = static_cast<int>(index / per_power) - 1;
  double const low = static_cast<double>((per_power + index % per_power) << shift);
  return low + static_cast<double>((std::uint64_t{1} << shift) - 1) / 2;
}

void latency_histogram::add(std::int64_t ns) noexcept {
  ns = std::max<std::int64_t>(ns, 0);
  // relaxed, no partner: see ORDERING.
  counts_[class_of(static_cast<std::uint64_t>(ns))].fetch_add(1, internal::memory_order_relaxed);
  std::int64_t seen = max_.load(internal::memory_order_relaxed);
  // relaxed, no partner: see ORDERING.
  while (seen < ns && !max_.compare_exchange_weak(seen, ns, internal::memory_order_relaxed)) {
  }
}

std::uint64_t latency_histogram::count() const noexcept {
  std::uint64_t sum = 0;
  // relaxed, no partner: see ORDERING.
  for (auto const& c : counts_) sum += c.load(internal::memory_order_relaxed);
  return sum;
}

double latency_histogram::percentile(double percent) const noexcept {
  std::uint64_t const all = count();
  if (all == 0) return 0;
  auto const rank = static_cast<std::uint64_t>(percent / 100 * static_cast<double>(all - 1));
  std::uint64_t below = 0;
  std::size_t index = 0;
  for (; index + 1 < classes; ++index) {
    below += counts_[index].load(internal::memory_order_relaxed);  // relaxed, no partner
    if (below > rank) break;
  }
  return std::min(middle_of(index), static_cast<double>(max()));
}

std::int64_t latency_histogram::max() const noexcept {
  return max_.load(internal::memory_order_relaxed);  // relaxed, no partner: see ORDERING.
}

}  // namespace vole::bench
