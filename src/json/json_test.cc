// SPDX-License-Identifier: Apache-2.0
#include "vole/json.h"

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits>

#include "vole/chan.h"
#include "vole/go.h"

namespace vole::json_test {

enum class side { buy, sell };
constexpr auto describe(side const*) {
  return json::names(json::name("buy", side::buy), json::name("sell", side::sell));
}

struct item {
  std::string symbol;
  std::int64_t qty_micro = 0;
};
constexpr auto describe(item const*) {
  return json::object(json::field("symbol", &item::symbol),
                      json::field("qty_micro", &item::qty_micro));
}

struct order {
  std::string id;
  side direction = side::buy;
  std::vector<item> items;
  std::optional<std::int64_t> limit_minor;
};
constexpr auto describe(order const*) {
  return json::object(json::field("id", &order::id), json::field("side", &order::direction),
                      json::field("items", &order::items),
                      json::field("limit_minor", &order::limit_minor));
}

// A type that is a string on the wire.
struct user_id {
  std::string text;
  friend bool operator==(user_id const&, user_id const&) = default;
};
inline constinit errors::sentinel const bad_user_id{"a user id begins with usr_"};
constexpr auto describe(user_id const*) {
  return json::text<user_id>([](user_id const& id) { return id.text; },
                             [](std::string_view text) -> result<user_id> {
                               if (!text.starts_with("usr_")) return bad_user_id;
                               return user_id{std::string(text)};
                             });
}

struct everything {
  bool flag = false;
  std::int8_t small = 0;
  std::uint16_t port = 0;
  std::uint64_t large = 0;
  double ratio = 0;
  float narrow = 0;
  user_id owner;
  std::map<std::string, std::vector<int>> lists;
  std::optional<item> one;
  std::string kind = "default";
};
constexpr auto describe(everything const*) {
  return json::object(json::optional_field("flag", &everything::flag),
                      json::optional_field("small", &everything::small),
                      json::optional_field("port", &everything::port),
                      json::optional_field("large", &everything::large),
                      json::optional_field("ratio", &everything::ratio),
                      json::optional_field("narrow", &everything::narrow),
                      json::optional_field("owner", &everything::owner),
                      json::optional_field("lists", &everything::lists),
                      json::field("one", &everything::one),
                      json::optional_field("kind", &everything::kind));
}

// Members that hold something before a text is read.
struct defaults {
  std::vector<int> xs{1, 2};
  std::map<std::string, int> by_name{{"a", 1}};
  std::optional<int> limit = 7;
  std::vector<std::optional<int>> steps{3};
};
constexpr auto describe(defaults const*) {
  return json::object(json::optional_field("xs", &defaults::xs),
                      json::optional_field("by_name", &defaults::by_name),
                      json::field("limit", &defaults::limit),
                      json::optional_field("steps", &defaults::steps));
}

// A type that nests in itself.
struct tree {
  std::vector<tree> below;
};
constexpr auto describe(tree const*) {
  return json::object(json::optional_field("below", &tree::below));
}

using json::json_error;
using json::reason;

// What a text is refused for: the typed error, checked to be one.
template <class T>
json_error refused(std::string_view text) {
  result<T> const decoded = json::decode<T>(text);
  EXPECT_FALSE(decoded) << text;
  if (decoded) return json_error(reason::syntax, "accepted", 0, "accepted", nullptr);
  error const err = decoded.error();
  auto const* const found = errors::as<json_error>(err);
  EXPECT_NE(found, nullptr) << err.message();
  return *found;
}

template <class T>
void expect_refused(std::string_view text, reason why, std::string_view message) {
  json_error const found = refused<T>(text);
  EXPECT_EQ(found.why, why) << text << " -> " << found.message();
  EXPECT_EQ(found.message(), message) << text;
}

TEST(json_decode, fills_a_described_struct) {
  auto const o = json::decode<order>(
      R"( {"id":"o1", "side":"sell", "items":[{"symbol":"AAPL","qty_micro":1500000}],
            "limit_minor":12345} )");
  ASSERT_TRUE(o) << o.error().message();
  EXPECT_EQ(o->id, "o1");
  EXPECT_EQ(o->direction, side::sell);
  ASSERT_EQ(o->items.size(), 1U);
  EXPECT_EQ(o->items[0].symbol, "AAPL");
  EXPECT_EQ(o->items[0].qty_micro, 1'500'000);
  EXPECT_EQ(o->limit_minor, 12345);
}

TEST(json_decode, takes_fields_in_any_order_and_optionals_absent_or_null) {
  auto const absent = json::decode<order>(R"({"items":[],"side":"buy","id":"x"})");
  ASSERT_TRUE(absent) << absent.error().message();
  EXPECT_EQ(absent->limit_minor, std::nullopt);
  auto const null = json::decode<order>(R"({"limit_minor":null,"items":[],"side":"buy","id":"x"})");
  ASSERT_TRUE(null) << null.error().message();
  EXPECT_EQ(null->limit_minor, std::nullopt);
}

TEST(json_decode, reads_every_kind_of_field) {
  auto const e = json::decode<everything>(
      R"({"flag":true,"small":-128,"port":65535,"large":18446744073709551615,"ratio":-1.5e-3,
          "narrow":0.25,
          "owner":"usr_1","lists":{"a":[1,2],"b":[]},"one":{"symbol":"X","qty_micro":-1}})");
  ASSERT_TRUE(e) << e.error().message();
  EXPECT_TRUE(e->flag);
  EXPECT_EQ(e->small, -128);
  EXPECT_EQ(e->port, 65535);
  EXPECT_EQ(e->large, std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(e->ratio, -0.0015);
  EXPECT_EQ(e->narrow, 0.25F);
  EXPECT_EQ(e->owner, user_id{"usr_1"});
  EXPECT_EQ(e->lists, (std::map<std::string, std::vector<int>>{{"a", {1, 2}}, {"b", {}}}));
  ASSERT_TRUE(e->one);
  EXPECT_EQ(e->one->qty_micro, -1);
  EXPECT_EQ(e->kind, "default");
}

TEST(json_decode, puts_the_text_in_place_of_a_default) {
  auto const given =
      json::decode<defaults>(R"({"xs":[3],"by_name":{"a":2,"b":3},"limit":8,"steps":[null,4]})");
  ASSERT_TRUE(given) << given.error().message();
  EXPECT_EQ(given->xs, std::vector{3});
  EXPECT_EQ(given->by_name, (std::map<std::string, int>{{"a", 2}, {"b", 3}}));
  EXPECT_EQ(given->limit, 8);
  EXPECT_EQ(given->steps, (std::vector<std::optional<int>>{std::nullopt, 4}));
  auto const emptied = json::decode<defaults>(R"({"xs":[],"by_name":{},"limit":null,"steps":[]})");
  ASSERT_TRUE(emptied) << emptied.error().message();
  EXPECT_TRUE(emptied->xs.empty());
  EXPECT_TRUE(emptied->by_name.empty());
  EXPECT_EQ(emptied->limit, std::nullopt);
  EXPECT_TRUE(emptied->steps.empty());
}

TEST(json_decode, keeps_a_default_that_the_text_does_not_speak_of) {
  auto const kept = json::decode<defaults>("{}");
  ASSERT_TRUE(kept) << kept.error().message();
  EXPECT_EQ(kept->xs, (std::vector{1, 2}));
  EXPECT_EQ(kept->by_name, (std::map<std::string, int>{{"a", 1}}));
  EXPECT_EQ(kept->limit, 7);
}

TEST(json_decode, keeps_integers_exact_to_the_last_one) {
  EXPECT_EQ(*json::decode<std::int64_t>("9223372036854775807"), INT64_MAX);
  EXPECT_EQ(*json::decode<std::int64_t>("-9223372036854775808"), INT64_MIN);
  EXPECT_EQ(*json::decode<std::int64_t>("9007199254740993"), 9007199254740993);
  EXPECT_EQ(*json::decode<std::int64_t>("-0"), 0);
  expect_refused<std::int64_t>("9223372036854775808", reason::out_of_range,
                               "9223372036854775808 is out of range: want -9223372036854775808 to "
                               "9223372036854775807 (at byte 19)");
  expect_refused<std::int64_t>("-9223372036854775809", reason::out_of_range,
                               "-9223372036854775809 is out of range: want -9223372036854775808 to "
                               "9223372036854775807 (at byte 20)");
  EXPECT_EQ(refused<std::int64_t>("100000000000000000000000000000000").why, reason::out_of_range);
  EXPECT_EQ(refused<std::uint8_t>("256").why, reason::out_of_range);
  EXPECT_EQ(refused<std::uint8_t>("-1").why, reason::out_of_range);
}

TEST(json_decode, takes_no_fraction_or_exponent_for_an_integer) {
  expect_refused<order>(R"({"id":"x","side":"buy","items":[{"symbol":"A","qty_micro":1},)"
                        R"({"symbol":"B","qty_micro":1.5}]})",
                        reason::wrong_type,
                        "items[1].qty_micro: want an integer, got 1.5 (at byte 90)");
  EXPECT_EQ(refused<int>("1e3").why, reason::wrong_type);
  EXPECT_EQ(refused<int>("1.0").why, reason::wrong_type);
  EXPECT_EQ(refused<int>("1E0").why, reason::wrong_type);
}

TEST(json_decode, reads_doubles_to_the_nearest) {
  EXPECT_EQ(*json::decode<double>("0.1"), 0.1);
  EXPECT_EQ(*json::decode<double>("2.2250738585072011e-308"), 2.2250738585072011e-308);
  EXPECT_EQ(*json::decode<double>("9007199254740993"), 9007199254740992.0);
  EXPECT_EQ(*json::decode<double>("17976931348623157e292"), std::numeric_limits<double>::max());
  EXPECT_EQ(refused<double>("1e309").why, reason::out_of_range);
  EXPECT_EQ(refused<float>("1e39").why, reason::out_of_range);
}

TEST(json_decode, rounds_a_float_once) {
  // Just above the middle of two floats; rounded to a double first it is the middle, and even wins.
  EXPECT_EQ(*json::decode<float>("1.000000059604644775390626"), std::nextafter(1.0F, 2.0F));
  EXPECT_EQ(*json::decode<float>("3.4028235e38"), std::numeric_limits<float>::max());
  EXPECT_EQ(refused<float>("3.4028236e38").why, reason::out_of_range);
}

TEST(json_decode, takes_0_for_a_number_too_small) {
  for (std::string_view const text :
       {"1e-400", "0.001e-399", "123e-403", "1E-2147483647", "0.1e-2147483640"}) {
    auto const tiny = json::decode<double>(text);
    ASSERT_TRUE(tiny) << text << ": " << tiny.error().message();
    EXPECT_EQ(*tiny, 0) << text;
    EXPECT_TRUE(json::decode<float>(text)) << text;
  }
  EXPECT_EQ(*json::decode<double>("0." + std::string(500, '0') + "1"), 0);
  EXPECT_EQ(*json::decode<double>("0." + std::string(500, '0') + "1e501"), 1);
  EXPECT_EQ(*json::decode<float>("1e-50"), 0);
  EXPECT_EQ(*json::decode<double>("0e400"), 0);
  EXPECT_TRUE(std::signbit(*json::decode<double>("-1e-400")));
  EXPECT_EQ(refused<double>("-1e400").why, reason::out_of_range);
  EXPECT_EQ(refused<double>("0.0001e400").why, reason::out_of_range);
  EXPECT_EQ(refused<double>("1e+400").why, reason::out_of_range);
  EXPECT_EQ(refused<double>(std::string(400, '9')).why, reason::out_of_range);
}

TEST(json_decode, tells_a_huge_exponent_from_a_text_that_is_not_json) {
  json_error const found = refused<everything>(R"({"ratio":1e2147483648})");
  EXPECT_EQ(found.why, reason::out_of_range);
  EXPECT_THAT(found.message(),
              ::testing::StartsWith("ratio: the exponent of a number is out of range"));
}

TEST(json_decode, names_the_unknown_field) {
  expect_refused<order>(R"({"id":"x","sied":"buy"})", reason::unknown_field,
                        "sied: is unknown (at byte 15)");
  EXPECT_EQ(refused<order>(R"({"id":"x","side":"buy","items":[{"symbol":"A","qty":1}]})").path,
            "items[0].qty");
}

TEST(json_decode, names_the_missing_field) {
  EXPECT_EQ(refused<order>("{}").message(), "id: is missing (at byte 1)");
  json_error const found = refused<order>(
      R"({"id":"x","side":"buy","items":[{"symbol":"A","qty_micro":1},{"symbol":"B"}]})");
  EXPECT_EQ(found.why, reason::missing_field);
  EXPECT_EQ(found.path, "items[1].qty_micro");
}

TEST(json_decode, names_the_duplicate_field) {
  EXPECT_EQ(refused<order>(R"({"id":"x","id":"y"})").message(), "id: appears twice (at byte 13)");
  json_error const in_map = refused<everything>(R"({"lists":{"a":[],"a":[]}})");
  EXPECT_EQ(in_map.why, reason::duplicate_field);
  EXPECT_EQ(in_map.path, "lists.a");
}

TEST(json_decode, says_what_it_wants_and_got) {
  auto const text_of = [](std::string_view text) { return refused<order>(text).message(); };
  EXPECT_THAT(text_of(R"({"id":1})"), ::testing::HasSubstr("id: want a string, got a number"));
  EXPECT_THAT(text_of(R"({"id":null})"), ::testing::HasSubstr("id: want a string, got null"));
  EXPECT_THAT(text_of(R"({"id":true})"), ::testing::HasSubstr("id: want a string, got a bool"));
  EXPECT_THAT(text_of(R"({"id":{}})"), ::testing::HasSubstr("id: want a string, got an object"));
  EXPECT_THAT(text_of(R"({"items":{}})"),
              ::testing::HasSubstr("items: want an array, got an object"));
  EXPECT_THAT(text_of(R"({"items":[[]]})"),
              ::testing::HasSubstr("items[0]: want an object, got an array"));
  EXPECT_THAT(text_of(R"({"items":[1]})"),
              ::testing::HasSubstr("items[0]: want an object, got a number"));
  EXPECT_THAT(text_of(R"({"limit_minor":"5"})"),
              ::testing::HasSubstr("limit_minor: want an integer, got a string"));
  EXPECT_THAT(text_of("[]"), ::testing::StartsWith("want an object, got an array"));
  EXPECT_THAT(refused<everything>(R"({"flag":0})").message(),
              ::testing::StartsWith("flag: want a bool, got a number"));
  EXPECT_THAT(refused<everything>(R"({"ratio":"1"})").message(),
              ::testing::StartsWith("ratio: want a number, got a string"));
}

TEST(json_decode, lists_the_names_of_an_enum) {
  expect_refused<order>(R"({"side":"hold"})", reason::bad_value,
                        R"(side: want one of "buy", "sell" (at byte 13))");
}

TEST(json_decode, passes_on_what_a_text_type_refuses) {
  result<everything> const e = json::decode<everything>(R"({"owner":"bob"})");
  ASSERT_FALSE(e);
  EXPECT_TRUE(errors::is(e.error(), bad_user_id));
  EXPECT_EQ(e.error().message(), "owner: a user id begins with usr_ (at byte 13)");
}

TEST(json_decode, tells_a_text_that_ends_too_early) {
  for (std::string_view const text : {"{", "", " ", R"({"a)", R"({"id":"x)", R"({"id":tru)"}) {
    EXPECT_EQ(refused<order>(text).why, reason::truncated) << text;
  }
  EXPECT_EQ(refused<std::vector<int>>("[1,").why, reason::truncated);
  EXPECT_EQ(refused<int>("-").message(), "the text ends too early (at byte 1)");
}

TEST(json_decode, refuses_what_is_not_json) {
  for (std::string_view const text :
       {"{]", "{\"id\":\"\x01\"}", "{id:1}", "{\"id\":\"x\",}", "{'id':1}", "{\"id\":\"\\x\"}",
        "{\"id\":\"\\ud800\"}", "// no\n{}", "NaN"}) {
    EXPECT_EQ(refused<order>(text).why, reason::syntax) << text;
  }
  for (std::string_view const text : {"+1", ".5", "--1"}) {
    EXPECT_EQ(refused<int>(text).why, reason::syntax) << text;
  }
  for (std::string_view const text : {"01", "0x10"}) {
    EXPECT_EQ(refused<int>(text).why, reason::trailing_data) << text;
  }
}

TEST(json_decode, refuses_data_after_the_value) {
  EXPECT_EQ(refused<int>("1 2").message(), "more data after the value (at byte 2)");
  EXPECT_EQ(refused<order>(R"({"id":"x","side":"buy","items":[]}{})").why, reason::trailing_data);
  EXPECT_TRUE(json::decode<int>(" 1 \n"));
}

TEST(json_decode, refuses_bad_utf8_and_names_the_field) {
  for (std::string_view const bad :
       {"\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82"}) {
    json_error const found = refused<order>(fmt::format("{{\"id\":\"a{}b\"}}", bad));
    EXPECT_EQ(found.why, reason::bad_utf8) << found.message();
    EXPECT_EQ(found.path, "id");
  }
}

TEST(json_decode, decodes_escapes) {
  auto const text = json::decode<std::string>(R"("a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00 z")");
  ASSERT_TRUE(text) << text.error().message();
  EXPECT_EQ(*text, "a\"\\/\b\f\n\r\t\xc3\xa9\xf0\x9f\x98\x80 z");
  auto const key = json::decode<std::map<std::string, int>>(R"({"a\nb":1,"":2})");
  ASSERT_TRUE(key);
  EXPECT_EQ(*key, (std::map<std::string, int>{{"a\nb", 1}, {"", 2}}));
}

std::string nested_trees(int levels) {
  std::string text;
  for (int i = 0; i < levels; ++i) text += "{\"below\":[";
  for (int i = 0; i < levels; ++i) text += "]}";
  return text;
}

TEST(json_decode, stops_at_depth_64) {
  EXPECT_TRUE(json::decode<tree>(nested_trees(32)));
  json_error const found = refused<tree>(nested_trees(33));
  EXPECT_EQ(found.why, reason::too_deep);
  EXPECT_THAT(found.path, ::testing::StartsWith("below[0].below[0]."));
  EXPECT_EQ(refused<tree>(nested_trees(100'000)).why, reason::too_deep);
}

TEST(json_decode, of_the_deepest_text_fits_the_smallest_stack) {
  chan<bool> decoded(0);
  go(spawn_options{.stack_bytes = 64 << 10}, [decoded] {
    std::string const text = nested_trees(32);
    decoded.send(json::encode(*json::decode<tree>(text)) == text);
  });
  EXPECT_EQ(decoded.recv(), true);
}

TEST(json_decode, shows_hostile_keys_short_and_escaped) {
  json_error const found =
      refused<order>(fmt::format("{{\"{}\\n\":1}}", std::string(100'000, 'k')));
  EXPECT_LT(found.path.size(), 200U);
  EXPECT_EQ(refused<order>(R"({"a\nb":1})").path, R"("a\nb")");
  EXPECT_LT(refused<int>(std::string(100'000, '9')).message().size(), 300U);
}

TEST(json_encode, writes_fields_in_order_and_leaves_empty_optionals_out) {
  order o{"o1", side::sell, {{"AAPL", 1'500'000}, {"MSFT", -1}}, std::nullopt};
  EXPECT_EQ(json::encode(o),
            R"({"id":"o1","side":"sell","items":[{"symbol":"AAPL","qty_micro":1500000},)"
            R"({"symbol":"MSFT","qty_micro":-1}]})");
  o.items.clear();
  o.limit_minor = INT64_MIN;
  EXPECT_EQ(json::encode(o),
            R"({"id":"o1","side":"sell","items":[],"limit_minor":-9223372036854775808})");
}

TEST(json_encode, gives_back_what_was_decoded) {
  std::string_view const text =
      R"({"flag":true,"small":-128,"port":65535,"large":18446744073709551615,"ratio":-0.0015,)"
      R"("narrow":0.25,"owner":"usr_1","lists":{"a":[1,2],"b":[]},)"
      R"("one":{"symbol":"X","qty_micro":-1},"kind":"k"})";
  auto const e = json::decode<everything>(text);
  ASSERT_TRUE(e) << e.error().message();
  EXPECT_EQ(json::encode(*e), text);
}

TEST(json_encode, escapes_what_must_be_escaped) {
  EXPECT_EQ(json::encode(std::string("a\"\\\b\f\n\r\t\x01\x1f/\x7f")),
            "\"a\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u001f/\x7f\"");
  EXPECT_EQ(json::encode(std::string("\0", 1)), "\"\\u0000\"");
  EXPECT_EQ(json::encode(std::string("\xc3\xa9\xf0\x9f\x98\x80")), "\"\xc3\xa9\xf0\x9f\x98\x80\"");
  EXPECT_EQ(json::encode(std::string("a\xff\xc3")), "\"a\xef\xbf\xbd\xef\xbf\xbd\"");
}

TEST(json_encode, writes_numbers_so_that_they_come_back) {
  for (double const d : {0.0, 0.1, 1e300, -2.5, 1.7976931348623157e308, 5e-324}) {
    EXPECT_EQ(*json::decode<double>(json::encode(d)), d) << json::encode(d);
  }
  for (float const f : {0.1F, 16777216.0F, std::numeric_limits<float>::max(), 1e-45F}) {
    EXPECT_EQ(*json::decode<float>(json::encode(f)), f) << json::encode(f);
  }
  EXPECT_EQ(json::encode(0.1F), "0.1");
  EXPECT_EQ(json::encode(std::numeric_limits<double>::infinity()), "null");
  EXPECT_EQ(json::encode(-std::numeric_limits<float>::infinity()), "null");
  EXPECT_EQ(json::encode(std::optional<int>()), "null");
}

TEST(json_encode_death, panics_for_a_value_without_a_name) {
  EXPECT_DEATH(json::encode(static_cast<side>(7)), "the value 7 of an enum has no name");
}

TEST(json_writer, puts_the_commas) {
  std::string out;
  json::writer w(out);
  w.begin_object()
      .field("a", 1)
      .key("b")
      .begin_array()
      .value("x")
      .null()
      .begin_object()
      .end_object();
  w.value(true).end_array().field("c", 2.5).key("d").raw("{\"e\":0}").end_object();
  EXPECT_EQ(out, R"({"a":1,"b":["x",null,{},true],"c":2.5,"d":{"e":0}})");
}

TEST(json_writer_death, refuses_what_would_not_be_json) {
  std::string out;
  EXPECT_DEATH(json::writer(out).end_object(), "closes what is not open");
  EXPECT_DEATH(json::writer(out).begin_object().value(1), "follows its key");
  EXPECT_DEATH(json::writer(out).begin_array().key("a"), "no place for key \"a\"");
  EXPECT_DEATH(json::writer(out).begin_object().key("a").end_object(), "closes what is not open");
}

}  // namespace vole::json_test
