// SPDX-License-Identifier: Apache-2.0
#include "pprof/top.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pprof/measure.h"
#include "pprof/testing_profile.h"

namespace vole::pprof {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

parsed_profile parsed(testing_profile const& p) {
  auto got = parse_profile(p.bytes());
  EXPECT_TRUE(got) << got.error().message();
  return *std::move(got);
}

TEST(pprof_top, counts_flat_for_the_leaf_and_cum_once_for_each_function) {
  testing_profile p;
  p.type("cpu", "nanoseconds");
  std::uint64_t const main = p.call("main");
  std::uint64_t const again = p.call("recurse");
  std::uint64_t const leaf = p.call("leaf");
  p.sample({leaf, again, again, main}, {750'000'000});
  p.sample({again, main}, {250'000'000});
  EXPECT_EQ(top_text(parsed(p), {}),
            "Type: cpu\n"
            "Showing nodes accounting for 1000ms, 100% of 1000ms total\n"
            "      flat  flat%   sum%        cum   cum%\n"
            "     750ms 75.00% 75.00%      750ms 75.00%  leaf\n"
            "     250ms 25.00%   100%     1000ms   100%  recurse\n"
            "         0     0%   100%     1000ms   100%  main\n");
}

TEST(pprof_top, tells_inlined_calls_and_what_has_no_name) {
  testing_profile p;
  p.type("n", "count");
  std::uint64_t const program = p.mapping("/srv/folio");
  std::uint64_t const inner = p.function("inner");
  std::uint64_t const outer = p.function("outer");
  p.sample({p.location({inner, outer}, program)}, {6});
  p.sample({p.location({}, program), p.location({inner}, program)}, {4});
  std::string const text = top_text(parsed(p), {});
  EXPECT_THAT(text, HasSubstr("File: folio\nType: n\n"));
  EXPECT_THAT(text, HasSubstr("         6 60.00% 60.00%         10   100%  inner (inline)\n"));
  EXPECT_THAT(text, HasSubstr("         4 40.00%   100%          4 40.00%  [folio]\n"));
}

TEST(pprof_top, leaves_out_what_is_below_half_a_percent) {
  testing_profile p;
  p.type("n", "count");
  p.sample({p.call("large")}, {997});
  p.sample({p.call("small")}, {3});
  std::string const text = top_text(parsed(p), {});
  EXPECT_THAT(text, HasSubstr("accounting for 997, 99.70% of 1000 total\n"
                              "Dropped 1 node (cum <= 5)\n"));
  EXPECT_THAT(text, Not(HasSubstr("small")));
}

TEST(pprof_top, takes_a_base_off_and_calls_it_100_percent) {
  testing_profile now;
  now.type("inuse_space", "bytes");
  now.sample({now.call("grows")}, {3 << 20});
  now.sample({now.call("stays")}, {1 << 20});
  testing_profile before;
  before.type("inuse_space", "bytes");
  before.sample({before.call("stays")}, {1 << 20});
  before.sample({before.call("shrinks")}, {1 << 20});
  parsed_profile const base = parsed(before);
  EXPECT_EQ(top_text(parsed(now), {.base = &base}),
            "Type: inuse_space\n"
            "Showing nodes accounting for 2MB, 100% of 2MB total\n"
            "      flat  flat%   sum%        cum   cum%\n"
            "       3MB 150.00% 150.00%        3MB 150.00%  grows\n"
            "      -1MB 50.00%   100%       -1MB 50.00%  shrinks\n");
}

TEST(pprof_top, shows_so_many_rows_in_the_order_asked_for) {
  testing_profile p;
  p.type("n", "count");
  std::uint64_t const main = p.call("main");
  p.sample({p.call("a"), main}, {5});
  p.sample({p.call("b"), main}, {4});
  std::string const text = top_text(parsed(p), {.rows_max = 1, .by_cum = true});
  EXPECT_THAT(text, HasSubstr("Showing top 1 nodes out of 3\n"));
  EXPECT_THAT(text, HasSubstr("0     0%     0%          9   100%  main\n"));
  EXPECT_THAT(text, Not(HasSubstr("  a\n")));
}

TEST(pprof_measure, writes_values_as_pprof_does) {
  EXPECT_EQ(auto_measure(0, "nanoseconds"), "0");
  EXPECT_EQ(auto_measure(1'050'000'000, "nanoseconds"), "1.05s");
  EXPECT_EQ(auto_measure(90, "seconds"), "90s");
  EXPECT_EQ(auto_measure(7200, "seconds"), "2hrs");
  EXPECT_EQ(auto_measure(-1536, "bytes"), "-1.50kB");
  EXPECT_EQ(auto_measure(12, "count"), "12");
  EXPECT_EQ(measure(5, "objects", "objects"), "5objects");
  EXPECT_EQ(measure(2'000'000, "nanoseconds", "s"), "0");
  EXPECT_EQ(percentage(1, 3), "33.33%");
  EXPECT_EQ(percentage(1, 300), " 0.33%");
  EXPECT_EQ(percentage(1, 1), "  100%");
  EXPECT_EQ(percentage(1, 0), "    0%");
}

}  // namespace
}  // namespace vole::pprof
