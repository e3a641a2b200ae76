// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <fmt/core.h>

#include "vole/service/flags.h"

using namespace vole;
using namespace std::chrono_literals;

int main() {
  // [flags]
  struct {
    std::string database = "sqlite:./data/folio.db";
    duration feed_pace = 1s;
  } config;
  service::flags flags("folio", "Portfolios and orders over HTTP.");
  flags.url("database", &config.database, "where the data is kept");
  flags.duration("feed-pace", &config.feed_pace, "time between two prices");
  flags.example("folio --database postgres://folio@127.0.0.1/folio");
  // [flags]

  auto const from = [](std::string const& name) -> std::optional<std::string> {
    if (name == "FOLIO_DATABASE") return "postgres://folio:hunter2@db/folio";
    return std::nullopt;
  };
  fmt::print("{}", flags.parse_from(std::array{"--help"}, from).text);
  fmt::print("{}", flags.parse_from(std::array{"--feed-pase", "2s"}, from).text);
  fmt::print("{}", flags.parse_from(std::array{"--feed-pace", "2 potatoes"}, from).text);

  if (flags.parse_from(std::array{"--feed-pace", "250ms"}, from).next ==
      service::flags::outcome::action::run) {
    for (auto const& entry : flags.entries()) {
      fmt::print("{} = {} ({})\n", entry.name, entry.value, entry.source);
    }
  }
}

// Output:
// Portfolios and orders over HTTP.
//
// Usage: folio [flags]
//
// Flags:
//   --database URL        where the data is kept
//                         default sqlite:./data/folio.db; environment FOLIO_DATABASE
//   --feed-pace DURATION  time between two prices
//                         default 1s; environment FOLIO_FEED_PACE
//   --help                this text
//
// A flag on the command line wins over its environment variable; an empty variable is no value.
//
// Examples:
//   folio --database postgres://folio@127.0.0.1/folio
// folio: unknown flag --feed-pase; did you mean --feed-pace?
// folio: --feed-pace "2 potatoes": want a duration such as 500ms, 20s or 1m30s
// database = postgres://folio:[redacted]@db/folio (environment)
// feed-pace = 250ms (flag)
