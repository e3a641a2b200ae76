// SPDX-License-Identifier: Apache-2.0
#pragma once
// In which order the slices of a comparison are run, which of them count, and when to stop. Knows
// neither processes nor clocks, so that a simulation can drive it. No shared state.
//
// INVARIANTS
//   - A block is six slices, each program twice, the second three in the reverse order of the
//     first: what drifts evenly meets all alike. The order of the programs is random.
//   - A disturbed slice is run again in its place; a block with a place that stays disturbed is
//     thrown away whole. Whether a slice is disturbed never depends on what it measured.
//   - Blocks are looked at only when there are as many as a look needs, or at the end.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "bench/ab_stat.h"

namespace vole::ab {

enum class arm : unsigned char {
  older,
  newer,
  again,  // the old program once more: the A/A arm
};
inline constexpr std::size_t arms = 3;

// pace is how long one operation takes in either program, roughly.
struct pace {
  double older_seconds = 0;
  double newer_seconds = 0;
};
// slice_iterations is how many operations a slice has, of whichever program: so many as the slower
// one does in about that time. By the other's pace a slowdown of 50 would leave no time for blocks.
std::int64_t slice_iterations(pace const& of, std::chrono::nanoseconds slice);
// least_seconds is how long a comparison lasts at the least that can prove anything.
double least_seconds(pace const& of, std::int64_t iterations, limits const& by, rank_sums& sums);

// What the kernel says happened while a slice ran.
struct disturbance {
  double wall_seconds = 0;
  double stolen_seconds = 0;     // by the hypervisor
  double others_seconds = 0;     // processor time of other processes
  std::int64_t throttles = 0;    // by heat or by the control group's quota
  std::int64_t migrations = -1;  // of the slice's threads between processors; -1: not seen
};

enum class reason : unsigned char { steal, throttling, migrations, other_load };
inline constexpr std::size_t reasons = 4;
std::string_view to_text(reason why);

// watch tells disturbed slices from the others. What a program does to itself, its migrations, is
// measured by what is usual for it.
class watch {
 public:
  std::optional<reason> judge(disturbance const& d);

 private:
  std::vector<std::int64_t> migrations_;
};

// sample is what a slice measured, and the line in which its program said so.
struct sample {
  double seconds_per_op = 0;
  std::string line = {};
};

class comparison {
 public:
  comparison(limits by, std::uint64_t seed, rank_sums& sums);

  // next is which program the next slice runs.
  arm next() const;
  void add(sample measured, std::optional<reason> disturbed);
  // decided says that no more slices are needed.
  bool decided() const { return now_.decided; }
  // finish looks at what there is, unless it was just looked at.
  void finish();

  judgement const& result() const { return now_; }
  std::size_t blocks() const { return differences_.size(); }
  std::size_t discarded(reason why) const { return discarded_[static_cast<std::size_t>(why)]; }
  // blockless are slices that nothing disturbed, of blocks that were thrown away or not completed.
  std::size_t blockless() const { return thrown_away_ + slot_; }
  // kept are the samples of a program that count.
  std::vector<sample> const& kept(arm of) const { return kept_[static_cast<std::size_t>(of)]; }

 private:
  static constexpr std::size_t slots = 2 * arms;
  static constexpr int tries_max = 3;  // of one place in a block

  void begin_block();
  void end_block();
  void look();

  limits by_;
  rank_sums& sums_;
  std::mt19937_64 random_;

  // The block at work.
  std::array<arm, arms> order_ = {arm::older, arm::newer, arm::again};
  std::array<sample, slots> samples_{};
  std::size_t slot_ = 0;
  int tries_ = 0;

  // All blocks before.
  std::vector<double> differences_;
  std::vector<double> nulls_;
  std::array<std::vector<sample>, arms> kept_;
  std::array<std::size_t, reasons> discarded_{};
  std::size_t thrown_away_ = 0;
  std::size_t next_look_;
  std::size_t looked_at_ = 0;
  int looks_ = 0;
  judgement now_;
};

}  // namespace vole::ab
