// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <gtest/gtest.h>
#include <limits>
#include <set>

#include "feed.h"
#include "model.h"
#include "money.h"

namespace folio {
namespace {

TEST(money, a_cost_is_rounded_half_to_even) {
  EXPECT_EQ(cost_of(1'500'000, 101), 152);  // 151.5 -> 152
  EXPECT_EQ(cost_of(500'000, 101), 50);     // 50.5 -> 50
  EXPECT_EQ(cost_of(500'001, 101), 51);     // just above the half
  EXPECT_EQ(cost_of(-1'500'000, 101), -152);
  EXPECT_EQ(cost_of(-500'000, 101), -50);
  EXPECT_EQ(cost_of(1, 1), 0);
}

TEST(money, a_cost_uses_128_bits_and_tells_what_does_not_fit) {
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(cost_of(most, micro), most);
  EXPECT_EQ(cost_of(most, micro + 1), std::nullopt);
}

TEST(money, a_decimal_is_read_exactly) {
  EXPECT_EQ(*parse_minor("39.81"), 3981);
  EXPECT_EQ(*parse_minor("7"), 700);
  EXPECT_EQ(*parse_minor("0.5"), 50);
  for (char const* bad :
       {"", ".", "1.", ".5", "1.234", "1,5", "-1", "1e3", "99999999999999999999"}) {
    EXPECT_FALSE(parse_minor(bad)) << bad;
  }
}

TEST(model, ids_are_checked_and_made) {
  EXPECT_TRUE(valid_id("usr_abc-123"));
  EXPECT_FALSE(valid_id(""));
  EXPECT_FALSE(valid_id("a b"));
  EXPECT_FALSE(valid_id(std::string(65, 'x')));
  std::set<std::string> made;
  for (int i = 0; i < 1000; ++i) made.insert(make_id("ord"));
  EXPECT_EQ(made.size(), 1000u);
  EXPECT_TRUE(valid_id(*made.begin()));
}

TEST(model, a_timestamp_is_rfc_3339_in_utc) {
  std::string const now = timestamp();
  ASSERT_EQ(now.size(), 24u);
  EXPECT_EQ(now[10], 'T');
  EXPECT_EQ(now[19], '.');
  EXPECT_EQ(now[23], 'Z');
}

TEST(price_series, goes_by_months_and_names_malformed_lines) {
  auto const parsed = price_series::parse(
      "symbol,date,price\nB,Feb 1 2000,2.5\nA,Jan 1 2000,1\n\nA,Feb 1 2000,1.25\nA,Foo 1 "
      "2000,1\nA,Jan 1 2000\n"
      "A,Jan 1 2000,0\nA b,Jan 1 2000,1\nUSD,Jan 1 2000,1\nA,Jan 32 2000,1\n",
      "p.csv");
  ASSERT_TRUE(parsed);
  ASSERT_EQ(parsed->series.steps(), 2u);
  EXPECT_EQ(parsed->series.at(0)[0].symbol, "A");
  EXPECT_EQ(parsed->series.at(1).size(), 2u);
  EXPECT_EQ(parsed->series.at(2)[0].price_minor, 100) << "the file starts again at its end";
  ASSERT_EQ(parsed->problems.size(), 6u);
  EXPECT_EQ(parsed->problems[0], "p.csv:6: 'Foo 1 2000' is no date like 'Jan 1 2000'");
  EXPECT_EQ(parsed->problems[1], "p.csv:7: want symbol,date,price");
  EXPECT_EQ(parsed->problems[2], "p.csv:8: the price is zero");
  EXPECT_EQ(parsed->problems[3], "p.csv:9: 'A b' is no symbol");
  EXPECT_EQ(parsed->problems[4], "p.csv:10: USD is the currency, not a symbol");
  EXPECT_EQ(parsed->problems[5], "p.csv:11: 'Jan 32 2000' is no date like 'Jan 1 2000'");
  EXPECT_FALSE(price_series::parse("x\n", "p.csv"));
}

TEST(price_hub, tells_subscribers_what_changed_and_never_waits_for_them) {
  price_hub hub;
  price_hub::subscription const all(hub, {});
  price_hub::subscription const one(hub, {"B"});
  hub.publish({{"B", 100, "t0"}, {"A", 5, "t0"}});
  hub.publish({{"B", 100, "t1"}});
  EXPECT_EQ(hub.find("B")->as_of, "t1");
  EXPECT_EQ(hub.find("C"), std::nullopt);
  EXPECT_EQ(hub.all().front().symbol, "A");
  EXPECT_EQ(one.prices().try_recv()->price_minor, 100);
  EXPECT_EQ(one.prices().try_recv(), std::nullopt) << "the same price again is no change";
  for (int i = 0; i < 1000; ++i) hub.publish({{"B", 200 + i, "t2"}});
  price last;
  int got = 0;
  while (auto p = one.prices().try_recv()) {
    last = *std::move(p);
    ++got;
  }
  EXPECT_EQ(last.price_minor, 1199) << "the newest stay, the oldest go";
  EXPECT_EQ(got, 64);
  EXPECT_EQ(hub.subscribers(), 2u);
}

}  // namespace
}  // namespace folio
