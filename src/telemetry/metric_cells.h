// SPDX-License-Identifier: Apache-2.0
// The cells that metrics count in.
// INVARIANTS
//   - A counter and a histogram are spread over shards, one cache line or more each, chosen by the
//     processor that the caller runs on: two processors do not share a line. A goroutine that moves
//     between choosing and adding costs time, not correctness, as every shard is atomic.
//   - All accesses are relaxed: a metric orders nothing. A reader sees each add once, no order
//     between them.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <sched.h>
#include <span>
#include <unistd.h>
#include <vector>

#include "vole/internal/atomic.h"

namespace vole::internal {

inline constexpr std::size_t cache_line_bytes = 64;
inline constexpr std::size_t shards_max = 16;

struct alignas(cache_line_bytes) metric_line {
  static constexpr std::size_t words_per_line = cache_line_bytes / sizeof(std::uint64_t);
  atomic<std::uint64_t> words[words_per_line] = {};
};

// metric_shards is one row of words for each shard.
class metric_shards {
 public:
  explicit metric_shards(std::size_t words)
      : lines_per_shard_((words + metric_line::words_per_line - 1) / metric_line::words_per_line),
        mask_(shard_count() - 1),
        lines_(new metric_line[lines_per_shard_ * shard_count()]) {}

  // here is the row of the processor that the caller runs on.
  metric_line* here() const noexcept {
    auto const cpu = static_cast<std::size_t>(::sched_getcpu());
    return &lines_[(cpu & mask_) * lines_per_shard_];
  }
  static atomic<std::uint64_t>& word(metric_line* row, std::size_t i) noexcept {
    return row[i / metric_line::words_per_line].words[i % metric_line::words_per_line];
  }
  template <class Fn>
  void for_each_row(Fn fn) const {
    for (std::size_t i = 0; i <= mask_; ++i) fn(&lines_[i * lines_per_shard_]);
  }

 private:
  static std::size_t shard_count() noexcept {
    static std::size_t const count = std::bit_ceil(std::clamp<std::size_t>(
        static_cast<std::size_t>(std::max(1L, ::sysconf(_SC_NPROCESSORS_CONF))), 1, shards_max));
    return count;
  }

  std::size_t lines_per_shard_;
  std::size_t mask_;
  std::unique_ptr<metric_line[]> lines_;
};

class counter_cell {
 public:
  counter_cell() : shards_(1) {}

  void add(std::uint64_t n) noexcept {
    metric_shards::word(shards_.here(), 0).fetch_add(n, memory_order_relaxed);
  }
  std::uint64_t value() const noexcept {
    std::uint64_t sum = 0;
    shards_.for_each_row(
        [&](metric_line* row) { sum += metric_shards::word(row, 0).load(memory_order_relaxed); });
    return sum;
  }

 private:
  metric_shards shards_;
};

class gauge_cell {
 public:
  void set(double to) noexcept { value_.store(to, memory_order_relaxed); }
  void add(double by) noexcept { value_.fetch_add(by, memory_order_relaxed); }
  double value() const noexcept { return value_.load(memory_order_relaxed); }

 private:
  atomic<double> value_{0};
};

// histogram_cell: a row is the count of each bucket, the one above all bounds last, and the bits of
// the sum.
class histogram_cell {
 public:
  struct snapshot {
    std::vector<std::uint64_t> buckets;  // not cumulative
    std::uint64_t count = 0;             // their sum, so that +Inf and _count always agree
    double sum = 0;
  };

  explicit histogram_cell(std::span<double const> bounds)
      : bounds_(bounds), shards_(bounds.size() + 2) {}

  void observe(double v) noexcept {
    if (std::isnan(v)) return;
    auto const bucket =
        static_cast<std::size_t>(std::ranges::lower_bound(bounds_, v) - bounds_.begin());
    auto* row = shards_.here();
    metric_shards::word(row, bucket).fetch_add(1, memory_order_relaxed);
    auto& sum = metric_shards::word(row, bounds_.size() + 1);
    std::uint64_t seen = sum.load(memory_order_relaxed);
    while (!sum.compare_exchange_weak(seen,
                                      std::bit_cast<std::uint64_t>(std::bit_cast<double>(seen) + v),
                                      memory_order_relaxed)) {
    }
  }
  snapshot read() const {
    snapshot out{.buckets = std::vector<std::uint64_t>(bounds_.size() + 1)};
    shards_.for_each_row([&](metric_line* row) {
      for (std::size_t i = 0; i <= bounds_.size(); ++i) {
        std::uint64_t const n = metric_shards::word(row, i).load(memory_order_relaxed);
        out.buckets[i] += n;
        out.count += n;
      }
      out.sum += std::bit_cast<double>(
          metric_shards::word(row, bounds_.size() + 1).load(memory_order_relaxed));
    });
    return out;
  }

 private:
  std::span<double const> bounds_;  // the family's
  metric_shards shards_;
};

}  // namespace vole::internal
