// SPDX-License-Identifier: Apache-2.0
#pragma once
// A histogram of durations: 32 classes per power of two, so that a percentile is right to 3 %.
// 10 KiB, whatever is put in.

#include <array>
#include <cstddef>
#include <cstdint>

#include "vole/internal/atomic.h"

namespace vole::bench {

class latency_histogram {
 public:
  // add counts one duration; negative ones as 0, above about an hour as that.
  // Safety: any thread.   Cost: one atomic add, 5 ns as long as the word is not contended.
  void add(std::int64_t ns) noexcept;

  // The rest is for when nobody adds any more.
  [[nodiscard]] std::uint64_t count() const noexcept;
  // percentile is the middle of the class in which the given share of all lies; 0 when empty.
  [[nodiscard]] double percentile(double percent) const noexcept;
  // max is exact.
  [[nodiscard]] std::int64_t max() const noexcept;

 private:
  static constexpr int sub_bits = 5;
  static constexpr std::size_t per_power = std::size_t{1} << sub_bits;
  static constexpr int powers = 42;  // 2^42 ns are 73 minutes
  static constexpr std::size_t classes = (powers - sub_bits + 1) * per_power;

  static std::size_t class_of(std::uint64_t ns) noexcept;
  static double middle_of(std::size_t index) noexcept;

  std::array<internal::atomic<std::uint64_t>, classes> counts_{};
  internal::atomic<std::int64_t> max_{0};
};

}  // namespace vole::bench
