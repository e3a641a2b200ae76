// SPDX-License-Identifier: Apache-2.0
#include "pprof/delta.h"

#include <functional>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <memory>
#include <utility>

#include "vole/chan.h"
#include "vole/go.h"
#include "vole/internal/format.h"
#include "vole/synctest.h"
#include "vole/testing.h"
#include "vole/time.h"

#include "pprof/reader.h"
#include "pprof/source.h"

namespace vole::pprof {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// What the profile says is what the test has set last.
class fixed_source : public profile_source {
 public:
  explicit fixed_source(std::vector<std::int64_t> const& values) : values_(values) {}
  std::size_t count() const override { return 1; }
  profile_data collect() const override {
    return {.sample_types = {{"alloc_objects", "count"}, {"inuse_objects", "count"}},
            .period_type = {"space", "bytes"},
            .period = 1,
            .begun = std::chrono::system_clock::now(),
            .lasted = {},
            .samples = {{.pcs = {0x10}, .values = values_, .labels = {}}}};
  }

 private:
  std::vector<std::int64_t> const& values_;
};

class scraping : public ::testing::Test {
 protected:
  std::vector<std::int64_t> next(std::string_view scraper) {
    auto const p = parse_profile(deltas_.next(profile_, scraper));
    EXPECT_TRUE(p) << p.error().message();
    return p->samples.empty() ? std::vector<std::int64_t>() : p->samples[0].values;
  }

  std::vector<std::int64_t> values_{10, 4};
  profile profile_{"heap", "", std::make_unique<fixed_source>(values_)};
  scrape_deltas deltas_;
};

TEST_F(scraping, first_shows_everything_then_what_changed) {
  EXPECT_THAT(next("a"), ElementsAre(10, 4));
  values_ = {15, 3};
  EXPECT_THAT(next("a"), ElementsAre(5, 3)) << "what is in use is as it stands";
  values_ = {15, 0};
  EXPECT_THAT(next("a"), IsEmpty());
}

TEST_F(scraping, scrapers_do_not_take_each_others_share) {
  EXPECT_THAT(next("a"), ElementsAre(10, 4));
  values_ = {11, 4};
  EXPECT_THAT(next("b"), ElementsAre(11, 4));
  EXPECT_THAT(next("a"), ElementsAre(1, 4));
}

// Its first profile is not handed out before another visit has ended, or waits for this one.
class slow_source : public profile_source {
 public:
  slow_source(std::vector<std::int64_t>& values, std::function<void()> meanwhile)
      : values_(values), meanwhile_(std::move(meanwhile)) {}
  std::size_t count() const override { return 1; }
  profile_data collect() const override {
    profile_data all = fixed_source(values_).collect();
    if (auto const now = std::exchange(meanwhile_, nullptr)) now();
    return all;
  }

 private:
  std::vector<std::int64_t>& values_;
  mutable std::function<void()> meanwhile_;
};

TEST_F(scraping, two_visits_at_once_take_nothing_back) {
  std::vector<std::int64_t> second;
  chan<unit> over(0);
  chan<unit> ended(0);
  profile const* slow = nullptr;
  auto const allocated = [&](std::string const& packed) {
    auto const p = parse_profile(packed);
    return p->samples.empty() ? 0 : p->samples[0].values[0];
  };
  profile const of("heap", "", std::make_unique<slow_source>(values_, [&] {
                     values_ = {15, 4};
                     go([&] {
                       second = {allocated(deltas_.next(*slow, "a"))};
                       over.recv();
                       ended.close();
                     });
                     testing::wait_until_parked(1);
                   }));
  slow = &of;
  std::int64_t const first = allocated(deltas_.next(of, "a"));
  over.close();
  ended.recv();
  EXPECT_EQ(first, 10);
  EXPECT_THAT(second, ElementsAre(5));
}

TEST_F(scraping, who_was_away_longest_is_forgotten) {
  for (std::size_t i = 0; i < scrape_deltas::scrapers_max; ++i) next(fmt::format("{}", i));
  next("0");
  next("new");  // takes the place of "1"
  values_ = {11, 4};
  EXPECT_THAT(next("0"), ElementsAre(1, 4));
  EXPECT_THAT(next("1"), ElementsAre(11, 4));
}

TEST_F(scraping, who_was_away_for_long_is_forgotten_when_another_comes) {
  synctest::test([this] {
    next("a");
    time::sleep(scrape_deltas::forgotten_after + std::chrono::seconds(1));
    next("b");
    values_ = {11, 4};
    EXPECT_THAT(next("b"), ElementsAre(1, 4));
    EXPECT_THAT(next("a"), ElementsAre(11, 4));
  });
}

}  // namespace
}  // namespace vole::pprof
