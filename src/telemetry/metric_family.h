// SPDX-License-Identifier: Apache-2.0
// metric_family: all series of one metric, found by their label values without a lock.
// INVARIANTS
//   - A series, once in a table, stays there and where it is; a table that has grown out lives on
//     beside its successor, so a reader needs no protection. At most half of a table's slots are
//     taken, so a probe ends.
//   - There are at most series_max series, plus the one that counts what comes later. No two have
//     the same values, and all values are UTF-8: else a scraper takes none of the registry.
// LOCKS  mu_ guards growth: tables_, series_, callbacks_. Reading takes none.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "vole/internal/annotations.h"
#include "vole/internal/raw_mutex.h"
#include "vole/metrics.h"

#include "telemetry/metric_cells.h"

namespace vole::internal {

enum class metric_type : std::uint8_t { counter, gauge, histogram };

std::string_view metric_type_text(metric_type type) noexcept;

// metric_spec is what makes two registrations of one name the same metric.
struct metric_spec {
  std::string name;
  std::string help;
  metric_type type;
  bool by_callback = false;
  std::vector<std::string> label_names;
  std::vector<double> bounds;  // of a histogram

  friend bool operator==(metric_spec const&, metric_spec const&) = default;
};

struct metric_series {
  template <class Cell, class... A>
  metric_series(std::uint64_t hash_of_values, std::vector<std::string> label_values,
                std::in_place_type_t<Cell> cell_type, A&&... args)
      : hash(hash_of_values),
        values(std::move(label_values)),
        cell(cell_type, std::forward<A>(args)...) {}

  std::uint64_t hash;
  std::vector<std::string> values;
  std::variant<counter_cell, gauge_cell, histogram_cell> cell;
};

class metric_family {
 public:
  explicit metric_family(metric_spec spec);
  metric_family(metric_family const&) = delete;
  metric_family& operator=(metric_family const&) = delete;

  metric_spec const& spec() const noexcept { return spec_; }

  // with finds or makes the series of these values. Bytes that are not UTF-8 count as U+FFFD.
  metric_series& with(std::span<std::string_view const> values);

  using number = std::function<double()>;
  using counts = std::function<metrics::histogram_counts()>;
  void add_callback(std::vector<std::pair<std::string, std::string>> labels,
                    std::variant<number, counts> read);

  // write appends the family in the text format; a family without series is left out.
  void write(std::string& to) const;

 private:
  struct table {
    explicit table(std::size_t slots)
        : mask(slots - 1), slot(new atomic<metric_series*>[slots]()) {}
    std::size_t mask;
    std::unique_ptr<atomic<metric_series*>[]> slot;
  };
  struct callback_series {
    std::vector<std::pair<std::string, std::string>> labels;
    std::variant<number, counts> read;
  };

  std::uint64_t hash_of(std::span<std::string_view const> values) const noexcept;
  static metric_series* find(table const& in, std::uint64_t hash,
                             std::span<std::string_view const> values) noexcept;
  static void insert(table& into, metric_series* series) noexcept;
  metric_series& overflow() VOLE_REQUIRES_LOCK(mu_);
  metric_series& add(std::uint64_t hash, std::span<std::string_view const> values);
  std::unique_ptr<metric_series> make_series(std::uint64_t hash,
                                             std::vector<std::string> values) const;
  void write_head(std::string& to) const;
  void write_series(std::string& to, metric_series const& series) const;
  void write_histogram(std::string& to, std::string const& labels,
                       std::span<std::uint64_t const> buckets, double sum) const;

  metric_spec const spec_;
  std::uint64_t const seed_;  // so that label values taken from input cannot be made to collide
  atomic<table*> current_;
  atomic<metric_series*> overflow_{nullptr};
  mutable raw_mutex mu_;
  std::vector<std::unique_ptr<table>> tables_ VOLE_GUARDED_BY(mu_);
  std::vector<std::unique_ptr<metric_series>> series_ VOLE_GUARDED_BY(mu_);
  std::vector<std::shared_ptr<callback_series const>> callbacks_ VOLE_GUARDED_BY(mu_);
};

}  // namespace vole::internal
