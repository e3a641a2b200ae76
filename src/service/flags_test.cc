// SPDX-License-Identifier: Apache-2.0
#include "vole/service/flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>

namespace vole {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;
using action = service::flags::outcome::action;

// config holds one variable of each kind, with its default.
struct config {
  std::string database = "sqlite:./data";
  std::string name = "folio";
  bool verbose = false;
  std::int64_t workers = 4;
  duration pace = 250ms;
  std::string side = "buy";
  std::string listen = "127.0.0.1:8080";
  std::string ops;
  secret<std::string> token;
  log::level level = log::level::info;
  log::format form = log::format::text;
  service::flags flags{"folio", "Portfolios and orders."};

  config() {
    flags.url("database", &database, "where the data is")
        .text("name", &name, "name of the instance")
        .boolean("verbose", &verbose, "says more")
        .integer("workers", &workers, "how many", 1, 64)
        .duration("feed-pace", &pace, "time between prices")
        .choice("side", &side, {"buy", "sell"}, "which side")
        .address("listen", &listen, "public address")
        .address("ops", &ops, "ops address", true)
        .secret("token", &token, "the token")
        .log_level("log-level", &level, "least level")
        .log_format("log-format", &form, "form of a line");
  }

  service::flags::outcome parse(std::vector<char const*> args,
                                std::map<std::string, std::string> const& environment = {}) {
    return flags.parse_from(args, [&](std::string const& name) -> std::optional<std::string> {
      auto const at = environment.find(name);
      if (at == environment.end()) return std::nullopt;
      return at->second;
    });
  }
  // The line with which a bad parse ends.
  std::string bad(std::vector<char const*> args,
                  std::map<std::string, std::string> const& environment = {}) {
    auto const got = parse(std::move(args), environment);
    EXPECT_EQ(got.next, action::bad_usage);
    return got.text;
  }
};

TEST(flags, keep_their_defaults_when_nothing_is_given) {
  config c;
  EXPECT_EQ(c.parse({}).next, action::run);
  EXPECT_EQ(c.workers, 4);
  EXPECT_EQ(c.flags.entries()[3].source, "default");
}

TEST(flags, are_set_by_the_command_line) {
  config c;
  auto const got =
      c.parse({"--database", "postgres://u:pw@db/folio", "--name=a b", "--verbose", "--workers=8",
               "--feed-pace", "1m30s", "--side", "sell", "--listen", "[::1]:0", "--ops", ":9090",
               "--token", "t", "--log-level", "DEBUG", "--log-format", "json"});
  ASSERT_EQ(got.next, action::run) << got.text;
  EXPECT_EQ(c.database, "postgres://u:pw@db/folio");
  EXPECT_EQ(c.name, "a b");
  EXPECT_TRUE(c.verbose);
  EXPECT_EQ(c.workers, 8);
  EXPECT_EQ(c.pace, 90s);
  EXPECT_EQ(c.side, "sell");
  EXPECT_EQ(c.listen, "[::1]:0");
  EXPECT_EQ(c.ops, ":9090");
  EXPECT_EQ(c.token.reveal(), "t");
  EXPECT_EQ(c.level, log::level::debug);
  EXPECT_EQ(c.form, log::format::json);
}

TEST(flags, are_set_by_the_environment_unless_the_command_line_does) {
  config c;
  auto const got = c.parse({"--workers", "8"}, {{"FOLIO_WORKERS", "16"},
                                                {"FOLIO_FEED_PACE", "2s"},
                                                {"FOLIO_VERBOSE", "true"},
                                                {"FOLIO_SIDE", ""}});
  ASSERT_EQ(got.next, action::run) << got.text;
  EXPECT_EQ(c.workers, 8);
  EXPECT_EQ(c.pace, 2s);
  EXPECT_TRUE(c.verbose);
  EXPECT_EQ(c.side, "buy") << "an empty variable is no value";
  auto const entries = c.flags.entries();
  EXPECT_EQ(entries[3].source, "flag");
  EXPECT_EQ(entries[4].source, "environment");
  EXPECT_EQ(entries[4].environment, "FOLIO_FEED_PACE");
  EXPECT_EQ(entries[4].value, "2s");
}

TEST(flags, the_last_of_a_repeated_flag_wins_and_a_boolean_can_be_switched_off) {
  config c;
  ASSERT_EQ(c.parse({"--workers", "8", "--workers", "9", "--verbose", "--verbose=false"}).next,
            action::run);
  EXPECT_EQ(c.workers, 9);
  EXPECT_FALSE(c.verbose);
}

TEST(flags, none_leaves_an_address_empty) {
  config c;
  c.ops = "127.0.0.1:1";
  ASSERT_EQ(c.parse({"--ops", "none"}).next, action::run);
  EXPECT_EQ(c.ops, "");
}

TEST(flags, an_empty_value_is_no_reason_to_take_the_next_word) {
  config c;
  c.ops = "127.0.0.1:1";
  ASSERT_EQ(c.parse({"--token=", "--ops", "none"}).next, action::run);
  EXPECT_EQ(c.ops, "");
  EXPECT_EQ(c.token.reveal(), "");
  EXPECT_EQ(c.bad({"--token", "--ops", "none"}),
            "folio: flag --token needs a value (one that begins with -- is written "
            "--token=VALUE)\n");
}

TEST(flags, a_bad_value_is_named_with_what_is_expected) {
  EXPECT_EQ(config().bad({"--workers", "many"}),
            "folio: --workers \"many\": want a whole number from 1 to 64\n");
  EXPECT_EQ(config().bad({"--workers", "65"}),
            "folio: --workers \"65\": want a whole number from 1 to 64\n");
  EXPECT_EQ(config().bad({"--feed-pace", "5"}),
            "folio: --feed-pace \"5\": want a duration such as 500ms, 20s or 1m30s\n");
  EXPECT_EQ(config().bad({"--side", "hold"}), "folio: --side \"hold\": want buy or sell\n");
  EXPECT_EQ(config().bad({"--listen", "8080"}),
            "folio: --listen \"8080\": want host:port, such as 127.0.0.1:8080\n");
  EXPECT_EQ(config().bad({"--ops", "x:70000"}),
            "folio: --ops \"x:70000\": want host:port, such as 127.0.0.1:8080, or none\n");
  EXPECT_EQ(config().bad({"--listen", "none"}),
            "folio: --listen \"none\": want host:port, such as 127.0.0.1:8080\n");
  EXPECT_EQ(config().bad({"--log-level", "loud"}),
            "folio: --log-level \"loud\": want debug, info, warn or error\n");
  EXPECT_EQ(config().bad({"--verbose=maybe"}), "folio: --verbose \"maybe\": want true or false\n");
  EXPECT_EQ(config().bad({}, {{"FOLIO_WORKERS", "0\n"}}),
            "folio: FOLIO_WORKERS=\"0\\n\": want a whole number from 1 to 64\n");
}

TEST(flags, an_unknown_flag_is_named_with_the_nearest_one) {
  EXPECT_EQ(config().bad({"--listn", "x"}),
            "folio: unknown flag --listn; did you mean --listen?\n");
  EXPECT_EQ(config().bad({"--zzzzzzzz=1"}),
            "folio: unknown flag --zzzzzzzz; --help lists all flags\n");
  EXPECT_EQ(config().bad({"-p"}), "folio: unknown flag -p; --help lists all flags\n");
  EXPECT_EQ(config().bad({"serve"}), "folio: unexpected argument \"serve\"\n");
  EXPECT_EQ(config().bad({"--name"}), "folio: flag --name needs a value\n");
}

TEST(flags, a_check_of_ones_own_refuses_a_value) {
  std::string url;
  service::flags flags("x", "X.");
  flags.url("database", &url, "d", [](std::string_view value) -> error {
    if (value.starts_with("postgres://")) return nullptr;
    return errors::make("want postgres://...");
  });
  char const* const args[] = {"--database", "mysql://u:hunter2@h"};
  auto const none = [](std::string const&) { return std::optional<std::string>(); };
  EXPECT_EQ(flags.parse_from(args, none).text,
            "x: --database \"mysql://u:[redacted]@h\": want postgres://...\n");
}

TEST(flags, help_shows_each_flag_with_its_default_and_its_variable) {
  config c;
  c.flags.example("folio --database postgres://folio@127.0.0.1/folio");
  auto const got = c.parse({"--workers", "8", "--help"});
  EXPECT_EQ(got.next, action::help);
  EXPECT_THAT(got.text, HasSubstr("Portfolios and orders.\n\nUsage: folio [flags]\n\nFlags:\n"));
  EXPECT_THAT(got.text,
              HasSubstr("  --workers NUMBER        how many\n"
                        "                          default 4; environment FOLIO_WORKERS\n"));
  EXPECT_THAT(got.text,
              HasSubstr("  --ops HOST:PORT         ops address\n"
                        "                          default none; environment FOLIO_OPS\n"));
  EXPECT_THAT(got.text, HasSubstr("  --verbose               says more\n"
                                  "                          default false;"));
  EXPECT_THAT(got.text, HasSubstr("\nExamples:\n  folio --database postgres://"));
  EXPECT_EQ(c.parse({"-h"}).next, action::help);
}

TEST(flags, a_secret_never_shows) {
  config c;
  c.token = secret<std::string>("hunter2");
  c.database = "postgres://folio:hunter2@db/folio?sslpassword=hunter2";
  service::flags flags("folio", "F.");
  flags.secret("token", &c.token, "the token").url("database", &c.database, "where");
  EXPECT_THAT(flags.help(), Not(HasSubstr("hunter2")));
  for (auto const& entry : flags.entries()) EXPECT_THAT(entry.value, Not(HasSubstr("hunter2")));
  EXPECT_EQ(flags.entries()[0].value, "[redacted]");
  EXPECT_EQ(flags.entries()[1].value,
            "postgres://folio:[redacted]@db/folio?sslpassword=[redacted]");
}

TEST(flags, passwords_are_redacted_wherever_they_stand) {
  struct {
    std::string_view url;
    std::string_view shown;
  } const cases[] = {
      {"sqlite:./data", "sqlite:./data"},
      {"postgres://db/folio", "postgres://db/folio"},
      {"postgres://folio@db/folio", "postgres://folio@db/folio"},
      {"postgres://u:p%40ss@db:5432/x", "postgres://u:[redacted]@db:5432/x"},
      {"postgres://u:p@ss/w@db/x", "postgres://u:[redacted]@db/x"},
      {"postgres://db/x?user=u&password=pw&sslmode=require",
       "postgres://db/x?user=u&password=[redacted]&sslmode=require"},
      {"host=db user=u password=pw dbname=x", "host=db user=u password=[redacted] dbname=x"},
      {"host=db PASSWORD = 'p w\\' x' user=u", "host=db PASSWORD = [redacted] user=u"},
      {"password='open", "password=[redacted]"},
      {"the password", "the password"},
  };
  for (auto const& c : cases) EXPECT_EQ(service::redact_url(c.url), c.shown);
}

TEST(flags, durations_are_read_and_written) {
  struct {
    std::string_view text;
    duration d;
  } const good[] = {{"0", 0s},        {"0s", 0s},     {"1ns", 1ns},    {"1.5us", 1500ns},
                    {"250ms", 250ms}, {"1m30s", 90s}, {"1.5h", 90min}, {"1h1m1.001s", 3661001ms},
                    {"2µs", 2us},     {".5s", 500ms}};
  for (auto const& c : good) {
    auto const got = service::parse_duration(c.text);
    ASSERT_TRUE(got) << c.text << ": " << got.error().message();
    EXPECT_EQ(*got, c.d) << c.text;
    EXPECT_EQ(*service::parse_duration(service::format_duration(c.d)), c.d);
  }
  for (std::string_view const bad : {"", "5", "s", "-1s", "1 s", "1d", "1.s.", "1s2", "..1s",
                                     "1e3s", "99999999999999999999s", "300y", "9999999h"}) {
    EXPECT_FALSE(service::parse_duration(bad)) << bad;
  }
}

TEST(flags_death, a_flag_cannot_be_added_twice) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  service::flags flags("x", "X.");
  std::string to;
  flags.text("a", &to, "");
  EXPECT_DEATH(flags.text("a", &to, ""), "added twice");
  EXPECT_DEATH(flags.text("A", &to, ""), "want a name of");
}

}  // namespace
}  // namespace vole
