// SPDX-License-Identifier: Apache-2.0
// metrics: counters, gauges and histograms with labels, in a registry that is passed on explicitly,
// shown in the Prometheus text format. Nothing registers itself.
//
//   metrics::registry registry;
//   auto orders = registry.counter("folio_orders_total", "Orders accepted.", {"side", "state"});
//   orders.with({"buy", "filled"}).add();
//   auto open = registry.gauge("folio_open_orders", "Limit orders waiting for their price.");
//   open.set(12);
//
// INVARIANTS
//   - A counter, gauge or histogram is a pointer into its registry: good while a copy of the
//     registry or one of its families lives. It may be used from any goroutine or thread.
//   - A series, once made, lives as long as the registry. A family has at most series_max of them:
//     what comes later is counted in one series whose labels all read "overflow", so that labels
//     taken from input cannot eat the memory.
// Source: Prometheus "Exposition formats", text-based format 0.0.4.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vole::internal {
class counter_cell;
class gauge_cell;
class histogram_cell;
class metric_family;
class metric_registry;
}  // namespace vole::internal

namespace vole::metrics {

using labels = std::initializer_list<std::string_view>;

// counter only goes up.
class counter {
 public:
  counter() = default;  // counts nothing: add() does nothing
  // add counts n more.
  // Cost:    about 5 ns, and no line shared between processors.
  void add(std::uint64_t n = 1) const noexcept;
  std::uint64_t value() const noexcept;

 private:
  template <class Handle>
  friend class family;
  explicit counter(internal::counter_cell* cell) noexcept : cell_(cell) {}
  internal::counter_cell* cell_ = nullptr;
};

// gauge goes up and down.
class gauge {
 public:
  gauge() = default;
  void set(double to) const noexcept;
  void add(double by = 1) const noexcept;
  void sub(double by = 1) const noexcept { add(-by); }
  double value() const noexcept;

 private:
  template <class Handle>
  friend class family;
  explicit gauge(internal::gauge_cell* cell) noexcept : cell_(cell) {}
  internal::gauge_cell* cell_ = nullptr;
};

// histogram counts observations in buckets and sums them.
class histogram {
 public:
  histogram() = default;
  // observe counts v in the first bucket whose bound is >= v. A NaN is left out: it would spoil the
  // sum for ever.
  void observe(double v) const noexcept;
  std::uint64_t count() const noexcept;
  double sum() const noexcept;

 private:
  template <class Handle>
  friend class family;
  explicit histogram(internal::histogram_cell* cell) noexcept : cell_(cell) {}
  internal::histogram_cell* cell_ = nullptr;
};

// family is a metric with labels: with(values) is the series of these values, in the order of the
// names.
// Panics:  another number of values than the family has names (caller's bug).
// Cost:    a look-up without a lock, about 30 ns; the first time a lock and an allocation. Keep the
//          handle where you can.
template <class Handle>
class family {
 public:
  family() = default;
  Handle with(labels values) const {
    return with(std::span<std::string_view const>(values.begin(), values.size()));
  }
  Handle with(std::span<std::string_view const> values) const;

 private:
  friend class registry;
  explicit family(std::shared_ptr<internal::metric_family> impl) noexcept
      : impl_(std::move(impl)) {}
  std::shared_ptr<internal::metric_family> impl_;
};
extern template class family<counter>;
extern template class family<gauge>;
extern template class family<histogram>;

// Upper bounds for the latency of a request, in seconds: 0.25 ms to 10 s. +Inf is added by the
// histogram itself.
std::span<double const> latency_buckets() noexcept;
// count bounds: start, start * factor, start * factor^2 ...
std::vector<double> exponential_buckets(double start, double factor, std::size_t count);

// What a histogram has counted: counts[i] of at most bounds[i] and above bounds[i - 1], the last of
// what is above them all.
struct histogram_counts {
  std::vector<std::uint64_t> counts;
  double sum = 0;
};

// What a callback metric is in the exposition.
enum class callback_type : std::uint8_t { counter, gauge };

// registry holds families and shows them. Copies are handles to one registry.
// Asking again for a name with the same type, help, labels and buckets gives the same metric.
// Panics:  a name or label name that Prometheus does not allow; the same name for another metric;
//          bounds that do not rise (caller's bug: names are constants of the program).
class registry {
 public:
  static constexpr std::size_t series_max = 5000;
  static constexpr std::string_view content_type = "text/plain; version=0.0.4; charset=utf-8";
  using constant_labels = std::vector<std::pair<std::string, std::string>>;

  registry();

  metrics::counter counter(std::string_view name, std::string_view help);
  family<metrics::counter> counter(std::string_view name, std::string_view help, labels names);
  metrics::gauge gauge(std::string_view name, std::string_view help);
  family<metrics::gauge> gauge(std::string_view name, std::string_view help, labels names);
  metrics::histogram histogram(std::string_view name, std::string_view help,
                               std::span<double const> bounds);
  family<metrics::histogram> histogram(std::string_view name, std::string_view help,
                                       std::span<double const> bounds, labels names);

  // callback adds a series whose value is asked for at each scrape. Several with one name and other
  // constant labels are series of one family. read may be called from any goroutine while the
  // registry lives, one call at a time: it captures by value, or what outlives the registry. It
  // must not touch this registry.
  void callback(callback_type type, std::string_view name, std::string_view help,
                constant_labels const& with, std::function<double()> read);
  void gauge_func(std::string_view name, std::string_view help, std::function<double()> read) {
    callback(callback_type::gauge, name, help, {}, std::move(read));
  }
  void counter_func(std::string_view name, std::string_view help, std::function<double()> read) {
    callback(callback_type::counter, name, help, {}, std::move(read));
  }

  // histogram_func adds a histogram that somebody else keeps: read gives what is in its buckets,
  // those of bounds and one more, and the sum. The same rules as for callbacks.
  void histogram_func(std::string_view name, std::string_view help, std::span<double const> bounds,
                      std::function<histogram_counts()> read);

  // on_scrape runs fn at the start of each text(), before the callbacks: to take one snapshot that
  // several callbacks then read, and to set gauges. The same rules as for callbacks.
  void on_scrape(std::function<void()> fn);

  // text is everything in the Prometheus text format, families by name, series by label values.
  // Blocks:  as its callbacks do.
  std::string text() const;

 private:
  std::shared_ptr<internal::metric_registry> impl_;
};

// add_process adds CPU seconds, resident and virtual memory, open and permitted descriptors,
// threads and start time under Prometheus' own names (process_cpu_seconds_total ...).
void add_process(registry& to);
// add_runtime adds what the scheduler knows: goroutines, processors, threads (vole_goroutines ...).
void add_runtime(registry& to);

}  // namespace vole::metrics
