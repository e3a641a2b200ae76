// SPDX-License-Identifier: Apache-2.0
// LOCKS  metric_registry::mu_ guards the lists; scrape_mu_ is held over a whole scrape, so that
//        callbacks run one at a time. Order: scrape_mu_, then mu_, then a family's mu_.
#include "vole/metrics.h"

#include <array>
#include <map>
#include <mutex>

#include "vole/assert.h"
#include "vole/sync.h"

#include "telemetry/encode.h"
#include "telemetry/metric_family.h"

namespace vole::internal {

class metric_registry {
 public:
  std::shared_ptr<metric_family> family(metric_spec spec);
  void on_scrape(std::function<void()> fn);
  std::string text();

 private:
  sync::mutex scrape_mu_;
  raw_mutex mu_;
  std::map<std::string, std::shared_ptr<metric_family>, std::less<>> families_ VOLE_GUARDED_BY(mu_);
  std::vector<std::shared_ptr<std::function<void()> const>> before_ VOLE_GUARDED_BY(mu_);
};

namespace {

bool is_name(std::string_view text, bool colon_allowed) noexcept {
  if (text.empty() || (text[0] >= '0' && text[0] <= '9')) return false;
  return std::ranges::all_of(text, [colon_allowed](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (c == ':' && colon_allowed);
  });
}

void require_valid(metric_spec const& spec) {
  VOLE_REQUIRE(is_name(spec.name, true), "metric {:?}: not a name that Prometheus allows",
               spec.name);
  for (std::size_t i = 0; i < spec.label_names.size(); ++i) {
    auto const& label = spec.label_names[i];
    VOLE_REQUIRE(is_name(label, false) && !label.starts_with("__"),
                 "metric {}: {:?} is not a label name", spec.name, label);
    VOLE_REQUIRE(spec.type != metric_type::histogram || label != "le",
                 "metric {}: a histogram has its own label le", spec.name);
    for (std::size_t j = 0; j < i; ++j) {
      VOLE_REQUIRE(spec.label_names[j] != label, "metric {}: label {} is named twice", spec.name,
                   label);
    }
  }
  for (std::size_t i = 0; i < spec.bounds.size(); ++i) {
    bool const rises =
        std::isfinite(spec.bounds[i]) && (i == 0 || spec.bounds[i - 1] < spec.bounds[i]);
    VOLE_REQUIRE(rises, "metric {}: bucket bounds must be finite and rise; number {} is {}",
                 spec.name, i, spec.bounds[i]);
  }
}

// taken_by says whether a histogram already shows samples under the name that `name` would have.
bool is_part_of(std::string_view name, metric_spec const& histogram) {
  if (histogram.type != metric_type::histogram || !name.starts_with(histogram.name)) return false;
  auto const suffix = name.substr(histogram.name.size());
  return suffix == "_bucket" || suffix == "_sum" || suffix == "_count";
}

}  // namespace

std::shared_ptr<metric_family> metric_registry::family(metric_spec spec) {
  require_valid(spec);
  raw_lock const hold(mu_);
  if (auto const at = families_.find(spec.name); at != families_.end()) {
    VOLE_REQUIRE(at->second->spec() == spec,
                 "metric {}: registered already with another type, help, labels or buckets",
                 spec.name);
    return at->second;
  }
  for (auto const& [name, other] : families_) {
    VOLE_REQUIRE(!is_part_of(spec.name, other->spec()) && !is_part_of(name, spec),
                 "metric {}: its samples would mix with those of {}", spec.name, name);
  }
  auto made = std::make_shared<metric_family>(spec);
  families_.emplace(spec.name, made);
  return made;
}

void metric_registry::on_scrape(std::function<void()> fn) {
  raw_lock const hold(mu_);
  before_.push_back(std::make_shared<std::function<void()> const>(std::move(fn)));
}

std::string metric_registry::text() {
  std::lock_guard const one_at_a_time(scrape_mu_);
  decltype(before_) before;
  std::vector<std::shared_ptr<metric_family>> families;
  {
    raw_lock const hold(mu_);
    before = before_;
    for (auto const& [name, family] : families_) families.push_back(family);
  }
  for (auto const& fn : before) (*fn)();
  std::string out;
  for (auto const& family : families) family->write(out);
  return out;
}

}  // namespace vole::internal

namespace vole::metrics {

using internal::metric_spec;
using internal::metric_type;

void counter::add(std::uint64_t n) const noexcept {
  if (cell_ != nullptr) cell_->add(n);
}
std::uint64_t counter::value() const noexcept {
  return cell_ == nullptr ? 0 : cell_->value();
}

void gauge::set(double to) const noexcept {
  if (cell_ != nullptr) cell_->set(to);
}
void gauge::add(double by) const noexcept {
  if (cell_ != nullptr) cell_->add(by);
}
double gauge::value() const noexcept {
  return cell_ == nullptr ? 0 : cell_->value();
}

void histogram::observe(double v) const noexcept {
  if (cell_ != nullptr) cell_->observe(v);
}
std::uint64_t histogram::count() const noexcept {
  return cell_ == nullptr ? 0 : cell_->read().count;
}
double histogram::sum() const noexcept {
  return cell_ == nullptr ? 0 : cell_->read().sum;
}

namespace {

template <class Handle>
struct cell_of;
template <>
struct cell_of<counter> {
  using type = internal::counter_cell;
};
template <>
struct cell_of<gauge> {
  using type = internal::gauge_cell;
};
template <>
struct cell_of<histogram> {
  using type = internal::histogram_cell;
};

metric_spec make_spec(metric_type type, std::string_view name, std::string_view help, labels names,
                      std::span<double const> bounds = {}) {
  return {.name = std::string(name),
          .help = std::string(help),
          .type = type,
          .by_callback = false,
          .label_names = std::vector<std::string>(names.begin(), names.end()),
          .bounds = std::vector<double>(bounds.begin(), bounds.end())};
}

}  // namespace

template <class Handle>
Handle family<Handle>::with(std::span<std::string_view const> values) const {
  if (impl_ == nullptr) return Handle();
  return Handle(&std::get<typename cell_of<Handle>::type>(impl_->with(values).cell));
}
template class family<counter>;
template class family<gauge>;
template class family<histogram>;

std::span<double const> latency_buckets() noexcept {
  static constexpr std::array bounds{0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                     0.1,     0.25,   0.5,   1.0,    2.5,   5.0,  10.0};
  return bounds;
}

std::vector<double> exponential_buckets(double start, double factor, std::size_t count) {
  VOLE_REQUIRE(start > 0 && factor > 1,
               "exponential buckets: want start > 0 and factor > 1, got {} and {}", start, factor);
  std::vector<double> bounds;
  for (std::size_t i = 0; i < count; ++i, start *= factor) bounds.push_back(start);
  return bounds;
}

registry::registry() : impl_(std::make_shared<internal::metric_registry>()) {}

family<counter> registry::counter(std::string_view name, std::string_view help, labels names) {
  return family<metrics::counter>(
      impl_->family(make_spec(metric_type::counter, name, help, names)));
}
metrics::counter registry::counter(std::string_view name, std::string_view help) {
  return counter(name, help, labels{}).with(labels{});
}

family<gauge> registry::gauge(std::string_view name, std::string_view help, labels names) {
  return family<metrics::gauge>(impl_->family(make_spec(metric_type::gauge, name, help, names)));
}
metrics::gauge registry::gauge(std::string_view name, std::string_view help) {
  return gauge(name, help, labels{}).with(labels{});
}

family<histogram> registry::histogram(std::string_view name, std::string_view help,
                                      std::span<double const> bounds, labels names) {
  return family<metrics::histogram>(
      impl_->family(make_spec(metric_type::histogram, name, help, names, bounds)));
}
metrics::histogram registry::histogram(std::string_view name, std::string_view help,
                                       std::span<double const> bounds) {
  return histogram(name, help, bounds, labels{}).with(labels{});
}

void registry::callback(callback_type type, std::string_view name, std::string_view help,
                        constant_labels const& with, std::function<double()> read) {
  auto const shown = type == callback_type::counter ? metric_type::counter : metric_type::gauge;
  auto spec = make_spec(shown, name, help, labels{});
  spec.by_callback = true;
  for (auto const& [label, value] : with) spec.label_names.push_back(label);
  impl_->family(std::move(spec))->add_callback(with, std::move(read));
}

void registry::histogram_func(std::string_view name, std::string_view help,
                              std::span<double const> bounds,
                              std::function<histogram_counts()> read) {
  auto spec = make_spec(metric_type::histogram, name, help, labels{}, bounds);
  spec.by_callback = true;
  impl_->family(std::move(spec))->add_callback({}, std::move(read));
}

void registry::on_scrape(std::function<void()> fn) {
  impl_->on_scrape(std::move(fn));
}

std::string registry::text() const {
  return impl_->text();
}

}  // namespace vole::metrics
