// SPDX-License-Identifier: Apache-2.0
#include "feed.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <mutex>
#include <shared_mutex>

#include "money.h"

namespace folio {
namespace {

using vole::errors::make;

constexpr std::array<std::string_view, 12> month_names = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

// number_in is -1 for what is no number.
int number_in(std::string_view digits) {
  int number = 0;
  auto const [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return failure == std::errc{} && end == digits.data() + digits.size() ? number : -1;
}

// "Jan 1 2000" as 200001: what the file's months are ordered by.
vole::result<int> parse_month(std::string_view date) {
  auto const space = date.find(' ');
  auto const second = date.find(' ', space + 1);
  auto const name = std::find(month_names.begin(), month_names.end(), date.substr(0, space));
  if (space != std::string_view::npos && second != std::string_view::npos &&
      name != month_names.end()) {
    int const day = number_in(date.substr(space + 1, second - space - 1));
    int const year = number_in(date.substr(second + 1));
    if (day >= 1 && day <= 31 && year >= 1900 && year <= 2999) {
      return year * 100 + static_cast<int>(name - month_names.begin()) + 1;
    }
  }
  return make("'{}' is no date like 'Jan 1 2000'", date);
}

struct line_values {
  int month;
  quote value;
};

vole::result<line_values> parse_line(std::string_view line) {
  auto const first = line.find(',');
  auto const second = line.find(',', first + 1);
  if (first == std::string_view::npos || second == std::string_view::npos) {
    return make("want symbol,date,price");
  }
  std::string_view const symbol = line.substr(0, first);
  if (!valid_id(symbol)) return make("'{}' is no symbol", symbol);
  if (symbol == usd) return make("{} is the currency, not a symbol", symbol);
  auto month = parse_month(line.substr(first + 1, second - first - 1));
  if (!month) return month.error();
  auto minor = parse_minor(line.substr(second + 1));
  if (!minor) return minor.error();
  if (*minor == 0) return make("the price is zero");
  return line_values{*month, {std::string(symbol), *minor}};
}

}  // namespace

vole::result<price_series::parsed> price_series::parse(std::string_view text,
                                                       std::string_view file) {
  parsed out;
  std::map<int, std::vector<quote>> months;
  int number = 0;
  while (!text.empty()) {
    auto const end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    ++number;
    if (line.empty() || (number == 1 && line == "symbol,date,price")) continue;
    auto values = parse_line(line);
    if (!values) {
      out.problems.push_back(fmt::format("{}:{}: {}", file, number, values.error().message()));
      continue;
    }
    months[values->month].push_back(std::move(values->value));
  }
  for (auto& [month, quotes] : months) out.series.months_.push_back(std::move(quotes));
  if (out.series.months_.empty()) return make("{}: no usable line among {}", file, number);
  return out;
}

price_hub::subscription::subscription(price_hub& hub, std::vector<std::string> symbols)
    : hub_(hub), symbols_(std::move(symbols)), queue_(queue_max) {
  std::lock_guard const lock(hub_.mu_);
  hub_.subscribers_.push_back(this);
}

price_hub::subscription::~subscription() {
  std::lock_guard const lock(hub_.mu_);
  hub_.subscribers_.remove(this);
}

bool price_hub::subscription::wants(std::string_view symbol) const noexcept {
  return symbols_.empty() || std::find(symbols_.begin(), symbols_.end(), symbol) != symbols_.end();
}

void price_hub::publish(std::vector<price> const& changes) {
  std::lock_guard const lock(mu_);
  for (price const& change : changes) {
    auto at = std::lower_bound(
        last_.begin(), last_.end(), change.symbol,
        [](price const& p, std::string const& symbol) { return p.symbol < symbol; });
    bool const known = at != last_.end() && at->symbol == change.symbol;
    bool const changed = !known || at->price_minor != change.price_minor;
    if (known) {
      *at = change;
    } else {
      last_.insert(at, change);
    }
    if (!changed) continue;
    for (subscription* s : subscribers_) {
      if (!s->wants(change.symbol)) continue;
      while (!s->queue_.try_send(change)) static_cast<void>(s->queue_.try_recv());
    }
  }
}

std::optional<price> price_hub::find(std::string_view symbol) const {
  std::shared_lock const lock(mu_);
  auto const at = std::lower_bound(last_.begin(), last_.end(), symbol,
                                   [](price const& p, std::string_view s) { return p.symbol < s; });
  if (at == last_.end() || at->symbol != symbol) return std::nullopt;
  return *at;
}

std::vector<price> price_hub::all() const {
  std::shared_lock const lock(mu_);
  return last_;
}

std::size_t price_hub::subscribers() const {
  std::shared_lock const lock(mu_);
  return subscribers_.size();
}

}  // namespace folio
