// SPDX-License-Identifier: Apache-2.0
// Source: Prometheus "Exposition formats", text-based format 0.0.4.
#include "telemetry/metric_family.h"

#include <cstring>
#include <iterator>
#include <optional>

#include "vole/assert.h"
#include "vole/internal/format.h"
#include "vole/metrics.h"

#include "base/rand.h"
#include "base/utf8.h"
#include "telemetry/encode.h"

namespace vole::internal {
namespace {

constexpr std::size_t first_slots = 16;

// mix is the high and low half of a 128-bit product, folded. Source: Wang Yi, wyhash (public
// domain).
std::uint64_t mix(std::uint64_t a, std::uint64_t b) noexcept {
  __extension__ using wide = unsigned __int128;
  wide const product = static_cast<wide>(a) * b;
  return static_cast<std::uint64_t>(product >> 64) ^ static_cast<std::uint64_t>(product);
}

std::uint64_t hash_text(std::uint64_t state, std::string_view text) noexcept {
  state = mix(state ^ text.size(), 0xa0761d6478bd642fULL);
  while (!text.empty()) {
    std::uint64_t word = 0;
    std::size_t const n = std::min(text.size(), sizeof word);
    std::memcpy(&word, text.data(), n);
    state = mix(state ^ word, 0xe7037ed1a0b428dbULL);
    text.remove_prefix(n);
  }
  return state;
}

bool equal_values(std::vector<std::string> const& have,
                  std::span<std::string_view const> want) noexcept {
  return std::ranges::equal(have, want);
}

// replaced gives the values with U+FFFD for what is not UTF-8; nothing: they all are.
std::optional<std::vector<std::string>> replaced(std::span<std::string_view const> values) {
  std::optional<std::vector<std::string>> good;
  for (std::size_t i = 0; i < values.size(); ++i) {
    auto one = replace_bad_utf8(values[i]);
    if (!one) continue;
    if (!good) good.emplace(values.begin(), values.end());
    (*good)[i] = *std::move(one);
  }
  return good;
}

// Backslash and line feed, and in a label value the quote, are escaped; the format knows no other
// escape.
void append_escaped(std::string& to, std::string_view text, bool quote) {
  for (char const c : text) {
    if (c == '\\') {
      to += "\\\\";
    } else if (c == '\n') {
      to += "\\n";
    } else if (c == '"' && quote) {
      to += "\\\"";
    } else {
      to += c;
    }
  }
}

void append_label(std::string& to, std::string_view name, std::string_view value) {
  if (!to.empty()) to += ',';
  to.append(name).append("=\"");
  append_escaped(to, value, true);
  to += '"';
}

void append_number(std::string& to, double v) {
  if (std::isnan(v)) {
    to += "NaN";
  } else if (std::isinf(v)) {
    to += v > 0 ? "+Inf" : "-Inf";
  } else {
    fmt::format_to(std::back_inserter(to), "{}", v);
  }
}

// append_sample writes "name{labels} value\n"; labels as append_label made them.
template <class Number>
void append_sample(std::string& to, std::string_view name, std::string_view suffix,
                   std::string_view labels, Number v) {
  to.append(name).append(suffix);
  if (!labels.empty()) to.append("{").append(labels).append("}");
  to += ' ';
  if constexpr (std::is_integral_v<Number>) {
    fmt::format_to(std::back_inserter(to), "{}", v);
  } else {
    append_number(to, v);
  }
  to += '\n';
}

}  // namespace

std::string_view metric_type_text(metric_type type) noexcept {
  switch (type) {
    case metric_type::counter:
      return "counter";
    case metric_type::gauge:
      return "gauge";
    case metric_type::histogram:
      break;
  }
  return "histogram";
}

metric_family::metric_family(metric_spec spec)
    : spec_(std::move(spec)), seed_(fast_rand()), current_(nullptr) {
  raw_lock const hold(mu_);
  tables_.push_back(std::make_unique<table>(first_slots));
  current_.store(tables_.back().get(), memory_order_release);  // pairs with metric_family.cc:with
}

std::uint64_t metric_family::hash_of(std::span<std::string_view const> values) const noexcept {
  std::uint64_t state = seed_;
  for (auto const value : values) state = hash_text(state, value);
  return state;
}

metric_series* metric_family::find(table const& in, std::uint64_t hash,
                                   std::span<std::string_view const> values) noexcept {
  for (std::size_t i = hash & in.mask;; i = (i + 1) & in.mask) {
    auto* series = in.slot[i].load(memory_order_acquire);  // pairs with metric_family.cc:insert
    if (series == nullptr) return nullptr;
    if (series->hash == hash && equal_values(series->values, values)) return series;
  }
}

void metric_family::insert(table& into, metric_series* series) noexcept {
  std::size_t i = series->hash & into.mask;
  while (into.slot[i].load(memory_order_relaxed) != nullptr) i = (i + 1) & into.mask;
  into.slot[i].store(series, memory_order_release);  // pairs with metric_family.cc:find
}

metric_series& metric_family::with(std::span<std::string_view const> values) {
  VOLE_REQUIRE(values.size() == spec_.label_names.size(),
               "metric {}: {} label values for {} labels", spec_.name, values.size(),
               spec_.label_names.size());
  std::uint64_t const hash = hash_of(values);
  auto const* seen =
      current_.load(memory_order_acquire);  // pairs with metric_family.cc:add and the constructor
  if (auto* series = find(*seen, hash, values)) return *series;
  if (auto const good = replaced(values)) {
    return with(std::vector<std::string_view>(good->begin(), good->end()));
  }
  // pairs with metric_family.cc:overflow
  if (auto* series = overflow_.load(memory_order_acquire)) return *series;
  return add(hash, values);
}

// overflow is the series of all that comes after series_max; a caller may have made it before, by
// using its values.
metric_series& metric_family::overflow() {
  if (auto* series = overflow_.load(memory_order_relaxed)) return *series;
  std::vector<std::string> const words(spec_.label_names.size(), "overflow");
  std::vector<std::string_view> const values(words.begin(), words.end());
  auto* series = find(*tables_.back(), hash_of(values), values);
  if (series == nullptr) {
    series_.push_back(make_series(0, words));
    series = series_.back().get();
  }
  // pairs with metric_family.cc:with
  overflow_.store(series, memory_order_release);
  return *series;
}

metric_series& metric_family::add(std::uint64_t hash, std::span<std::string_view const> values) {
  raw_lock const hold(mu_);
  auto* now = tables_.back().get();
  if (auto* series = find(*now, hash, values)) return *series;
  if (series_.size() >= metrics::registry::series_max) return overflow();
  series_.push_back(make_series(hash, std::vector<std::string>(values.begin(), values.end())));
  if (2 * series_.size() <= now->mask + 1) {
    insert(*now, series_.back().get());
  } else {
    tables_.push_back(std::make_unique<table>(2 * (now->mask + 1)));
    for (auto const& series : series_) insert(*tables_.back(), series.get());
    current_.store(tables_.back().get(), memory_order_release);  // pairs with metric_family.cc:with
  }
  return *series_.back();
}

std::unique_ptr<metric_series> metric_family::make_series(std::uint64_t hash,
                                                          std::vector<std::string> values) const {
  switch (spec_.type) {
    case metric_type::counter:
      return std::make_unique<metric_series>(hash, std::move(values),
                                             std::in_place_type<counter_cell>);
    case metric_type::gauge:
      return std::make_unique<metric_series>(hash, std::move(values),
                                             std::in_place_type<gauge_cell>);
    case metric_type::histogram:
      break;
  }
  return std::make_unique<metric_series>(hash, std::move(values),
                                         std::in_place_type<histogram_cell>,
                                         std::span<double const>(spec_.bounds));
}

void metric_family::add_callback(std::vector<std::pair<std::string, std::string>> labels,
                                 std::variant<number, counts> read) {
  for (auto& [name, value] : labels) {
    if (auto good = replace_bad_utf8(value)) value = *std::move(good);
  }
  raw_lock const hold(mu_);
  for (auto const& other : callbacks_) {
    VOLE_REQUIRE(other->labels != labels, "metric {}: a callback with these labels exists already",
                 spec_.name);
  }
  callbacks_.push_back(std::make_shared<callback_series const>(std::move(labels), std::move(read)));
}

void metric_family::write_head(std::string& to) const {
  to.append("# HELP ").append(spec_.name).append(" ");
  append_escaped(to, spec_.help, false);
  to.append("\n# TYPE ")
      .append(spec_.name)
      .append(" ")
      .append(metric_type_text(spec_.type))
      .append("\n");
}

void metric_family::write_histogram(std::string& to, std::string const& labels,
                                    std::span<std::uint64_t const> buckets, double sum) const {
  VOLE_REQUIRE(buckets.size() == spec_.bounds.size() + 1, "metric {}: {} buckets for {} bounds",
               spec_.name, buckets.size(), spec_.bounds.size());
  std::uint64_t below = 0;
  for (std::size_t i = 0; i <= spec_.bounds.size(); ++i) {
    below += buckets[i];
    std::string with_bound = labels;
    std::string bound = "+Inf";
    if (i < spec_.bounds.size()) {
      bound.clear();
      append_number(bound, spec_.bounds[i]);
    }
    append_label(with_bound, "le", bound);
    append_sample(to, spec_.name, "_bucket", with_bound, below);
  }
  append_sample(to, spec_.name, "_sum", labels, sum);
  append_sample(to, spec_.name, "_count", labels, below);
}

void metric_family::write_series(std::string& to, metric_series const& series) const {
  std::string labels;
  for (std::size_t i = 0; i < series.values.size(); ++i) {
    append_label(labels, spec_.label_names[i], series.values[i]);
  }
  if (auto const* counted = std::get_if<counter_cell>(&series.cell)) {
    append_sample(to, spec_.name, "", labels, counted->value());
  } else if (auto const* gauged = std::get_if<gauge_cell>(&series.cell)) {
    append_sample(to, spec_.name, "", labels, gauged->value());
  } else {
    auto const seen = std::get<histogram_cell>(series.cell).read();
    write_histogram(to, labels, seen.buckets, seen.sum);
  }
}

void metric_family::write(std::string& to) const {
  std::vector<metric_series const*> all;
  std::vector<std::shared_ptr<callback_series const>> callbacks;
  {
    raw_lock const hold(mu_);
    for (auto const& series : series_) all.push_back(series.get());
    callbacks = callbacks_;
  }
  if (all.empty() && callbacks.empty()) return;
  std::ranges::sort(all, {},
                    [](metric_series const* series) -> auto const& { return series->values; });
  std::ranges::sort(callbacks, {},
                    [](auto const& series) -> auto const& { return series->labels; });
  write_head(to);
  for (auto const* series : all) write_series(to, *series);
  for (auto const& series : callbacks) {
    std::string labels;
    for (auto const& [name, value] : series->labels) append_label(labels, name, value);
    if (auto const* one = std::get_if<number>(&series->read)) {
      append_sample(to, spec_.name, "", labels, (*one)());
    } else {
      auto const seen = std::get<counts>(series->read)();
      write_histogram(to, labels, seen.counts, seen.sum);
    }
  }
}

}  // namespace vole::internal
