// SPDX-License-Identifier: Apache-2.0
#include "pprof/delta.h"

#include <algorithm>
#include <utility>

#include "vole/go.h"

#include "pprof/source.h"

namespace vole::pprof {
namespace {

// Values of what is there now, which have no difference.
void forget_in_use(profile_data& seen) {
  for (std::size_t i = 0; i < seen.sample_types.size(); ++i) {
    if (!seen.sample_types[i].type.starts_with("inuse_")) continue;
    for (stack_sample& s : seen.samples) s.values[i] = 0;
  }
}

}  // namespace

std::pair<profile_data, profile_data> scrape_deltas::take(profile const& of,
                                                          std::string_view scraper) {
  sync::lock_guard const lock(mu_);
  profile_data now = of.source().collect_apart();
  profile_data before{.sample_types = now.sample_types,
                      .period_type = now.period_type,
                      .period = now.period,
                      .begun = now.begun,
                      .lasted = {},
                      .samples = {}};
  profile_data kept = now;
  forget_in_use(kept);
  time_point const t = internal::now();
  auto const [at, fresh] = visits_.try_emplace(key(of.name(), scraper));
  if (!fresh) std::swap(before, at->second.seen);
  at->second = {.seen = std::move(kept), .at = t};
  std::erase_if(visits_, [t](auto const& v) { return t - v.second.at > forgotten_after; });
  if (visits_.size() > scrapers_max) {
    visits_.erase(std::ranges::min_element(visits_, {}, [](auto& v) { return v.second.at; }));
  }
  return {std::move(now), std::move(before)};
}

std::string scrape_deltas::next(profile const& of, std::string_view scraper) {
  auto [change, before] = take(of, scraper);
  change.lasted = change.begun - before.begun;
  return blocking([&change, &before] {
    subtract(change, before);
    return gzip(encode(change));
  });
}

}  // namespace vole::pprof
