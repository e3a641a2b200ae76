// SPDX-License-Identifier: Apache-2.0
// Invariants and locks: background_check.h.
#include "service/background_check.h"

#include <charconv>
#include <map>
#include <set>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>

#include "vole/context.h"
#include "vole/internal/format.h"
#include "vole/internal/raw_mutex.h"

namespace vole::service {
namespace {

constexpr std::string_view request_label = "vole.request";

struct check_state {
  internal::raw_mutex mu;
  log::logger lines VOLE_GUARDED_BY(mu);
  std::uint64_t last_number VOLE_GUARDED_BY(mu) = 0;
  std::map<std::uint64_t, http::request const*> serving VOLE_GUARDED_BY(mu);
  std::set<std::string> told VOLE_GUARDED_BY(mu);  // "file:line"
};

check_state& the_check() {
  static auto& state = *new check_state;  // never destroyed: background() may be called at any time
  return state;
}

std::uint64_t caller_number() {
  auto const text = pprof::label_value(request_label);
  std::uint64_t number = 0;
  if (text) std::from_chars(text->data(), text->data() + text->size(), number);
  return number;
}

void probe(std::source_location const& at) noexcept {
  std::uint64_t const number = caller_number();
  if (number == 0) return;
  std::string place = fmt::format("{}:{}", at.file_name(), at.line());
  check_state& check = the_check();
  std::string route;
  log::logger lines;
  {
    internal::raw_lock const lock(check.mu);
    auto const found = check.serving.find(number);
    if (found == check.serving.end() || !check.told.insert(place).second) return;
    route = found->second->pattern();
    lines = check.lines;
  }
  lines.warn(context{}, "context::background() below a request handler",
             {{"route", route}, {"at", place}});
}

}  // namespace

void report_backgrounds(log::logger to) {
  {
    internal::raw_lock const lock(the_check().mu);
    the_check().lines = std::move(to);
  }
  // relaxed, no partner: the check's state is read under its lock.
  internal::probe_background.store(&probe, internal::memory_order_relaxed);
}

serving_request::serving_request(http::request& req, bool checked) {
  if (!checked) return;
  {
    internal::raw_lock const lock(the_check().mu);
    number_ = ++the_check().last_number;
    the_check().serving.emplace(number_, &req);
  }
  std::string const number = fmt::format("{}", number_);
  label_.emplace(std::initializer_list<pprof::label>{{request_label, number}});
}

serving_request::~serving_request() {
  if (number_ == 0) return;
  internal::raw_lock const lock(the_check().mu);
  the_check().serving.erase(number_);
}

}  // namespace vole::service
