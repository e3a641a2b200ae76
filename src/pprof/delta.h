// SPDX-License-Identifier: Apache-2.0
#pragma once
// What has changed since a scraper's last visit.
//
// INVARIANTS  at most scrapers_max profiles are kept; the scraper that was away longest loses its,
//             as do all that were away for forgotten_after when another one comes.
//             What is kept was taken before what is compared with it.
// LOCKS       scrape_deltas::mu_ guards what is kept, and is held while a profile is taken: who has
//             got the lock later has taken the later profile. Goroutines wait for it parked.

#include <chrono>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "vole/internal/annotations.h"
#include "vole/internal/clock.h"
#include "vole/pprof.h"
#include "vole/sync/mutex.h"

#include "pprof/profile.h"

namespace vole::pprof {

// scrape_deltas remembers for each scraper the profile that it has got last.
// Safety: any goroutine.
class scrape_deltas {
 public:
  static constexpr std::size_t scrapers_max = 16;
  static constexpr duration forgotten_after = std::chrono::minutes(10);

  // next is what was allocated, or waited for, since this scraper's last visit, or since the start
  // at its first: profile.proto, gzipped. What is in use is no matter of time: it is as it stands.
  // Blocks: as profile::write.
  // Source: the pages of godeltaprof. Differs: there, two scrapers take each other's share away.
  std::string next(profile const& of, std::string_view scraper) VOLE_EXCLUDES(mu_);

 private:
  struct visit {
    profile_data seen;
    time_point at{};
  };
  using key = std::pair<std::string_view, std::string>;  // profile's name, scraper

  // take gives the profile as it is now and, of this scraper's last visit, what has a difference.
  std::pair<profile_data, profile_data> take(profile const& of, std::string_view scraper)
      VOLE_EXCLUDES(mu_);

  sync::mutex mu_;
  std::map<key, visit> visits_ VOLE_GUARDED_BY(mu_);
};

}  // namespace vole::pprof
