// SPDX-License-Identifier: Apache-2.0
//
// Checks of plausibility. No shared state but three figures that are measured once.

#include "bench/sanity.h"

#include <algorithm>

#include "vole/internal/clock.h"
#include "vole/internal/format.h"
#include "vole/internal/keep.h"

namespace vole::bench {
namespace {

constexpr int attempts = 7;
constexpr std::int64_t removed_n_min = 10'000;  // fewer turns are not told from the clock's steps
constexpr double clock_share_max = 0.1;

// fastest is the best of some attempts at measure(), which returns ns per turn: what disturbs a
// measurement only adds.
template <class Fn>
double fastest(Fn measure) {
  double best = measure();
  for (int i = 1; i < attempts; ++i) best = std::min(best, measure());
  return best;
}

double since(time_point begun, int turns) {
  return static_cast<double>((internal::monotonic_now() - begun).count()) / turns;
}

double time_clock() {
  constexpr int turns = 200;
  time_point const begun = internal::monotonic_now();
  for (int i = 0; i < turns; ++i) keep(internal::monotonic_now());
  return since(begun, turns);
}

// A chain of additions, each of which needs the one before: a cycle each.
double time_chain() {
  constexpr int turns = 2'000;
  constexpr int per_turn = 8;
  std::uint64_t x = 1;
  time_point const begun = internal::monotonic_now();
  for (int i = 0; i < turns; ++i) {
#if defined(__x86_64__)
    asm volatile(
        "add %0,%0\n\tadd %0,%0\n\tadd %0,%0\n\tadd %0,%0\n\t"
        "add %0,%0\n\tadd %0,%0\n\tadd %0,%0\n\tadd %0,%0"
        : "+r"(x)
        :
        : "cc");
#else
    asm volatile(
        "add %0,%0,%0\n\tadd %0,%0,%0\n\tadd %0,%0,%0\n\tadd %0,%0,%0\n\t"
        "add %0,%0,%0\n\tadd %0,%0,%0\n\tadd %0,%0,%0\n\tadd %0,%0,%0"
        : "+r"(x));
#endif
  }
  return since(begun, turns * per_turn);
}

// The two words of benchmark::loop, and its turn.
double time_empty_turn() {
  constexpr int turns = 20'000;
  std::uint64_t turn = 0;
  std::uint64_t target = turns;
  keep(target);
  time_point const begun = internal::monotonic_now();
  while (true) {
    asm volatile("");
    if (turn >= target) break;
    ++turn;
  }
  keep(turn);
  return since(begun, turns);
}

}  // namespace

double clock_cost_ns() {
  static double const ns = fastest(time_clock);
  return ns;
}

double cycle_ns() {
  static double const ns = fastest(time_chain);
  return ns;
}

double empty_turn_ns() {
  static double const ns = fastest(time_empty_turn);
  return ns;
}

namespace {

std::string removed(timing const& t) {
  if (t.n < removed_n_min) return {};
  double const per_turn = static_cast<double>(t.time.count()) * t.bodies / static_cast<double>(t.n);
  double const own = t.used_loop ? empty_turn_ns() : 0;
  if (per_turn - own >= cycle_ns()) return {};
  return fmt::format(
      "body removed: an iteration takes {:.2f} ns{}, less than a cycle ({:.2f} ns); the compiler "
      "has thrown the work away or it hides behind the loop: give results to bench::keep()",
      std::max(per_turn - own, 0.0), t.used_loop ? " more than an empty turn" : "", cycle_ns());
}

std::string too_short(timing const& t) {
  auto const ns = static_cast<double>(t.time.count());
  double const stretch = ns / static_cast<double>(std::max<std::int64_t>(t.stretches, 1));
  if (stretch * clock_share_max >= clock_cost_ns()) return {};
  if (t.stretches > 1) {
    return fmt::format(
        "too short to measure: the timer ran for {:.0f} ns at a time, and to read the clock takes "
        "{:.0f} ns; do more between start_timer and stop_timer",
        stretch, clock_cost_ns());
  }
  return fmt::format(
      "too short to measure: {} iterations took {:.0f} ns in all, and to read the clock takes "
      "{:.0f} ns; raise -benchtime",
      t.n, ns, clock_cost_ns());
}

}  // namespace

std::string doubt(timing const& t) {
  std::string text = removed(t);
  return text.empty() ? too_short(t) : text;
}

}  // namespace vole::bench
