// SPDX-License-Identifier: Apache-2.0
#pragma once
// How long the background of a processor has to rest. No shared state.

#include <algorithm>

#include "vole/internal/clock.h"

namespace vole::internal {

// Nine parts foreground to one part background, over what the turns take.
inline constexpr int background_rest_per_turn = 9;
// What is saved up while the foreground computes without a switch and somebody waits: a tenth of it
// may run at once.
inline constexpr duration background_saved_max = std::chrono::milliseconds(5);
// A turn that did not end for minutes keeps the others out for no longer than this.
inline constexpr duration background_rest_max = std::chrono::seconds(1);

// next_background_turn: when the background of a processor is due again, where it was due at `due`
// and then ran from `began` to `ended`. A turn that began before it was due, since nobody else
// wanted to run, is paid for as if it had been.
constexpr time_point next_background_turn(time_point due, time_point began,
                                          time_point ended) noexcept {
  time_point const from = std::clamp(due, began - background_saved_max, began);
  time_point const next = from + (1 + background_rest_per_turn) * (ended - began);
  return std::min(next, ended + background_rest_max);
}

}  // namespace vole::internal
