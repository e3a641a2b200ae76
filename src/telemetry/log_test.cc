// SPDX-License-Identifier: Apache-2.0
#include "vole/log.h"

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits>
#include <type_traits>

#include "vole/trace.h"

namespace vole {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

// What the logger needs besides its options: a sink to look at and a clock that stands.
struct fixture {
  std::shared_ptr<log::memory_sink> sink = std::make_shared<log::memory_sink>();
  std::chrono::nanoseconds now{1'784'021'400'125'999'999};  // 2026-07-14T09:30:00.125999999Z

  log::logger make(log::format form, log::level minimum = log::level::info) {
    return log::logger({.form = form, .minimum = minimum, .to = sink, .clock = [this] {
                          return std::chrono::system_clock::time_point(now);
                        }});
  }
  // The only line, without the time of the fixture.
  std::string line() {
    auto const all = sink->lines();
    EXPECT_EQ(all.size(), 1U) << sink->text();
    sink->clear();
    return all.empty() ? "" : all[0];
  }
};

context const& bg() {
  static context const ctx = context::background();
  return ctx;
}

constexpr std::string_view text_head = "time=2026-07-14T09:30:00.125Z level=INFO msg=m";
constexpr std::string_view json_head =
    R"({"time":"2026-07-14T09:30:00.125Z","level":"INFO","msg":"m")";

std::string as_text(std::initializer_list<log::attr> attrs) {
  fixture f;
  f.make(log::format::text).info(bg(), "m", attrs);
  std::string const line = f.line();
  EXPECT_TRUE(line.starts_with(text_head)) << line;
  return line.substr(text_head.size());
}

std::string as_json(std::initializer_list<log::attr> attrs) {
  fixture f;
  f.make(log::format::json).info(bg(), "m", attrs);
  std::string const line = f.line();
  EXPECT_TRUE(line.starts_with(json_head)) << line;
  return line.substr(json_head.size());
}

TEST(log, writes_a_line_of_text) {
  fixture f;
  f.make(log::format::text).warn(bg(), "order filled", {{"order_id", "o-1"}, {"qty", 3}});
  EXPECT_EQ(f.sink->text(),
            "time=2026-07-14T09:30:00.125Z level=WARN msg=\"order filled\" order_id=o-1 qty=3\n");
}

TEST(log, writes_a_line_of_json) {
  fixture f;
  f.make(log::format::json).error(bg(), "order filled", {{"order_id", "o-1"}, {"qty", 3}});
  EXPECT_EQ(f.sink->text(),
            R"({"time":"2026-07-14T09:30:00.125Z","level":"ERROR","msg":"order filled",)"
            R"("order_id":"o-1","qty":3})"
            "\n");
}

TEST(log, prints_each_kind_of_value) {
  std::string const owned = "owned";
  auto const when = std::chrono::system_clock::time_point(951'782'400s);
  EXPECT_EQ(as_text({{"n", nullptr}, {"t", true}, {"f", false}}), " n=null t=true f=false");
  EXPECT_EQ(as_text({{"min", std::numeric_limits<std::int64_t>::min()},
                     {"max", std::numeric_limits<std::uint64_t>::max()}}),
            " min=-9223372036854775808 max=18446744073709551615");
  EXPECT_EQ(as_text({{"d", 0.5}, {"big", 1e21}, {"nan", std::nan("")}}),
            " d=0.5 big=1e+21 nan=nan");
  EXPECT_EQ(as_text({{"s", owned}, {"v", std::string_view("view")}, {"e", ""}}),
            " s=owned v=view e=\"\"");
  EXPECT_EQ(as_text({{"took", 1500us}, {"when", when}}),
            " took=1.5ms when=2000-02-29T00:00:00.000Z");
  char const* const null_text = nullptr;
  EXPECT_EQ(as_text({{"p", null_text}, {"f", 1.5F}}), " p=<null> f=1.5");
}

TEST(log, prints_each_kind_of_value_as_json) {
  EXPECT_EQ(as_json({{"n", nullptr}, {"t", true}, {"i", -1}, {"u", 2U}}),
            R"(,"n":null,"t":true,"i":-1,"u":2})");
  EXPECT_EQ(as_json({{"d", 0.1}, {"big", 1e21}, {"nan", std::nan("")}, {"inf", -INFINITY}}),
            R"(,"d":0.1,"big":1e+21,"nan":"nan","inf":"-inf"})");
  EXPECT_EQ(as_json({{"took", 90s}}), R"(,"took":"1m30s"})");
}

TEST(log, prints_the_chain_of_an_error) {
  auto const err =
      errors::wrap(errors::make("connection refused"), "load portfolio for user {}", "u1");
  EXPECT_EQ(as_text({{"error", err}}),
            R"( error="load portfolio for user u1: connection refused")");
  EXPECT_EQ(as_json({{"error", err}}),
            R"(,"error":"load portfolio for user u1: connection refused"})");
  EXPECT_EQ(as_text({{"error", error()}}), " error=null");
  EXPECT_EQ(as_json({{"error", error()}}), R"(,"error":null})");
}

TEST(log, never_prints_a_secret) {
  secret<std::string> const password("hunter2");
  EXPECT_EQ(as_text({{"password", password}}), " password=[redacted]");
  EXPECT_EQ(as_json({{"password", password}}), R"(,"password":"[redacted]"})");
  EXPECT_EQ(fmt::format("{}", password), "[redacted]");
  EXPECT_EQ(password.reveal(), "hunter2");
}

TEST(log, text_cannot_be_made_to_forge_a_line_or_a_field) {
  EXPECT_EQ(as_text({{"id", "x\ntime=now level=ERROR msg=forged"}}),
            R"( id="x\ntime=now level=ERROR msg=forged")");
  EXPECT_EQ(as_text({{"id", "x admin=true"}}), R"( id="x admin=true")");
  EXPECT_EQ(as_text({{"id", "a\"b\\c\td\r"}}), R"( id="a\"b\\c\td\r")");
  EXPECT_EQ(as_text({{"a=b c", 1}}), R"( "a=b c"=1)");
  EXPECT_EQ(as_text({{"esc", std::string_view("\x1b[2J\0", 5)}}), R"( esc="\u001b[2J\u0000")");
}

TEST(log, json_cannot_be_made_to_forge_a_line_or_a_field) {
  EXPECT_EQ(as_json({{"id", "x\n\",\"admin\":true"}}), R"(,"id":"x\n\",\"admin\":true"})");
  EXPECT_EQ(as_json({{"k\"}\n", 1}}), R"(,"k\"}\n":1})");
}

TEST(log, escapes_characters_that_hide_or_turn_the_line) {
  EXPECT_EQ(as_text({{"s", "a\u202eb"}}), R"( s="a\u202eb")");
  EXPECT_EQ(as_json({{"s", "\u2028\u0085\ufeff"}}), R"(,"s":"\u2028\u0085\ufeff"})");
  EXPECT_EQ(as_json({{"s", "\U000e0041"}}), R"(,"s":"\udb40\udc41"})");
  EXPECT_EQ(as_json({{"s", "é 漢 😀"}}), R"(,"s":"é 漢 😀"})");
}

TEST(log, marks_bytes_that_are_not_utf8) {
  // A stray continuation, an overlong '/', a surrogate, a cut sequence, a byte above U+10FFFF.
  EXPECT_EQ(as_text({{"s", "\x80"}}), R"( s="\x80")");
  EXPECT_EQ(as_json({{"s", "\xc0\xaf"}}), R"(,"s":"\ufffd\ufffd"})");
  EXPECT_EQ(as_json({{"s", "\xed\xa0\x80"}}), R"(,"s":"\ufffd\ufffd\ufffd"})");
  EXPECT_EQ(as_json({{"s", "a\xe2\x82"}}), R"(,"s":"a\ufffd\ufffd"})");
  EXPECT_EQ(as_json({{"s", "\xf4\x90\x80\x80"}}), R"(,"s":"\ufffd\ufffd\ufffd\ufffd"})");
}

TEST(log, writes_times_before_1970_and_on_leap_days) {
  struct {
    std::chrono::nanoseconds at;
    std::string_view text;
  } const cases[] = {
      {0s, "1970-01-01T00:00:00.000Z"},
      {-1ms, "1969-12-31T23:59:59.999Z"},
      {-1ns, "1969-12-31T23:59:59.999Z"},
      {1'709'164'799s, "2024-02-28T23:59:59.000Z"},
      {1'709'164'800s, "2024-02-29T00:00:00.000Z"},
      {4'107'542'400s, "2100-03-01T00:00:00.000Z"},
  };
  for (auto const& c : cases) {
    fixture f;
    f.now = c.at;
    f.make(log::format::text).info(bg(), "m");
    EXPECT_EQ(f.line(), fmt::format("time={} level=INFO msg=m", c.text));
  }
}

TEST(log, writes_durations_as_go_does) {
  struct {
    std::chrono::nanoseconds d;
    std::string_view text;
  } const cases[] = {
      {0ns, "0s"},
      {1ns, "1ns"},
      {1100ns, "1.1us"},
      {2200us, "2.2ms"},
      {3300ms, "3.3s"},
      {245s, "4m5s"},
      {245001ms, "4m5.001s"},
      {5h + 6min + 7001ms, "5h6m7.001s"},
      {8min + 1ns, "8m0.000000001s"},
      {-1500ms, "-1.5s"},
      {std::chrono::nanoseconds::min(), "-2562047h47m16.854775808s"},
  };
  for (auto const& c : cases) EXPECT_EQ(as_text({{"d", c.d}}), fmt::format(" d={}", c.text));
}

TEST(log, writes_nothing_below_its_level_and_the_level_may_change) {
  fixture f;
  auto const logger = f.make(log::format::text, log::level::warn);
  auto const child = logger.with({{"a", 1}});
  child.info(bg(), "m");
  EXPECT_FALSE(child.enabled(log::level::info));
  EXPECT_EQ(f.sink->text(), "");
  logger.set_minimum(log::level::debug);
  child.debug(bg(), "m");
  EXPECT_EQ(child.minimum(), log::level::debug);
  EXPECT_EQ(f.line(), "time=2026-07-14T09:30:00.125Z level=DEBUG msg=m a=1");
}

TEST(log, a_default_logger_discards) {
  log::logger const logger;
  EXPECT_FALSE(logger.enabled(log::level::error));
  logger.error(bg(), "nobody hears");
  logger.set_minimum(log::level::debug);
  logger.with({{"a", 1}}).with_group("g").error(bg(), "nobody hears");
  EXPECT_EQ(logger.lines_lost(), 0U);
}

TEST(log, knows_its_levels_by_name) {
  EXPECT_EQ(log::level_text(log::level::debug), "DEBUG");
  EXPECT_EQ(log::level_text(static_cast<log::level>(2)), "INFO+2");
  EXPECT_EQ(log::level_text(static_cast<log::level>(-6)), "DEBUG-2");
  EXPECT_EQ(*log::parse_level("Warn"), log::level::warn);
  EXPECT_EQ(*log::parse_level("INFO+2"), static_cast<log::level>(2));
  for (std::string_view const bad : {"", "loud", "INFO+", "INFO+x", "INFO+123", "+2"}) {
    auto const got = log::parse_level(bad);
    ASSERT_FALSE(got) << bad;
    EXPECT_EQ(got.error().message(),
              fmt::format("log level {:?}: want debug, info, warn or error", bad));
  }
  EXPECT_EQ(*log::parse_format("json"), log::format::json);
  EXPECT_EQ(log::parse_format("xml").error().message(), "log format \"xml\": want text or json");
}

TEST(log, takes_request_and_trace_id_from_the_context) {
  fixture f;
  auto const span = trace::extract("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "");
  auto const ctx = log::with_request_id(trace::with_span(bg(), span), "req 1");
  EXPECT_EQ(log::request_id(ctx), "req 1");
  EXPECT_EQ(log::request_id(bg()), "");
  f.make(log::format::text).with({{"a", 1}}).info(ctx, "m", {{"b", 2}});
  EXPECT_EQ(f.line(),
            std::string(text_head) +
                " request_id=\"req 1\" trace_id=0af7651916cd43dd8448eb211c80319c a=1 b=2");
  f.make(log::format::json).with_group("g").info(ctx, "m", {{"b", 2}});
  EXPECT_EQ(f.line(), std::string(json_head) +
                          R"(,"request_id":"req 1","trace_id":"0af7651916cd43dd8448eb211c80319c")"
                          R"(,"g":{"b":2}})");
}

TEST(log, groups_attributes) {
  EXPECT_EQ(
      as_text({log::group("http", {{"method", "GET"}, log::group("res", {{"status", 200}})})}),
      " http.method=GET http.res.status=200");
  EXPECT_EQ(as_json({log::group("http", {{"method", "GET"}, log::group("res", {{"status", 200}})}),
                     {"a", 1}}),
            R"(,"http":{"method":"GET","res":{"status":200}},"a":1})");
  EXPECT_EQ(as_json({log::group("empty", {})}), "}");
  EXPECT_EQ(as_text({log::group("a b", {{"c", 1}})}), R"( "a b.c"=1)");
}

TEST(log, with_and_with_group_carry_attributes_to_later_lines) {
  for (auto const form : {log::format::text, log::format::json}) {
    fixture f;
    auto const base = f.make(form).with({{"app", "folio"}});
    auto const feed = base.with_group("feed").with({{"symbol", "AAPL"}}).with_group("tick");
    feed.info(bg(), "m", {{"price", 1}});
    feed.info(bg(), "m");
    base.info(bg(), "m", {{"x", 1}});
    if (form == log::format::text) {
      std::string const head(text_head);
      EXPECT_THAT(f.sink->lines(),
                  ElementsAre(head + " app=folio feed.symbol=AAPL feed.tick.price=1",
                              head + " app=folio feed.symbol=AAPL", head + " app=folio x=1"));
    } else {
      std::string const head(json_head);
      EXPECT_THAT(
          f.sink->lines(),
          ElementsAre(head + R"(,"app":"folio","feed":{"symbol":"AAPL","tick":{"price":1}}})",
                      head + R"(,"app":"folio","feed":{"symbol":"AAPL"}})",
                      head + R"(,"app":"folio","x":1})"));
    }
  }
}

struct point {
  int x;
  int y;
};

}  // namespace
}  // namespace vole

template <>
struct fmt::formatter<vole::point> : fmt::formatter<std::string_view> {
  auto format(vole::point const& p, fmt::format_context& to) const
      -> fmt::format_context::iterator {
    return fmt::format_to(to.out(), "({}, {})", p.x, p.y);
  }
};

namespace vole {
namespace {

TEST(log, prints_a_type_of_ones_own_by_its_formatter) {
  EXPECT_EQ(as_text({{"at", point{1, -2}}}), R"x( at="(1, -2)")x");
  EXPECT_EQ(as_json({{"at", point{1, -2}}}), R"x(,"at":"(1, -2)"})x");
}

TEST(log, a_pointer_is_not_taken_for_a_bool) {
  static_assert(!std::is_constructible_v<log::value, int*>);
  static_assert(!std::is_constructible_v<log::value, void*>);
  static_assert(!std::is_constructible_v<log::value, char>);
  static_assert(std::is_constructible_v<log::value, bool>);
}

}  // namespace
}  // namespace vole
