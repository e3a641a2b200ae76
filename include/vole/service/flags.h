// SPDX-License-Identifier: Apache-2.0
// service::flags: the configuration of a program, from its command line and its environment. The
// flag --drain-timeout of the program folio is also FOLIO_DRAIN_TIMEOUT; the command line wins over
// the environment, both over the default.
//
//   folio::config config;                                  // holds the defaults
//   service::flags flags("folio", "Portfolios and orders over HTTP.");
//   flags.text("database", &config.database, "where the data is kept");
//   if (auto code = flags.parse(argc, argv)) return *code;  // --help, or one line on stderr
//
// INVARIANTS
//   - The variables hold their defaults when a flag is added, and valid values after a parse that
//   lets the program run.
//   - A secret never shows: not in --help, not in entries(), not in an error.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vole/errors.h"
#include "vole/internal/clock.h"
#include "vole/log.h"

namespace vole::service {

// config_entry is one setting as it may be shown; secrets are redacted.
struct config_entry {
  std::string name;         // "drain-timeout"
  std::string environment;  // "FOLIO_DRAIN_TIMEOUT"
  std::string value;
  std::string source;  // "default", "flag" or "environment"
  std::string help;
};

class flags {
 public:
  // What to do after a parse: go on, or print text to stdout (exit 0) or stderr (exit 2).
  struct outcome {
    enum class action : std::uint8_t { run, help, bad_usage };
    action next = action::run;
    std::string text;  // with its line feed
  };
  using environment = std::function<std::optional<std::string>(std::string const& name)>;
  using checker = std::function<error(std::string_view)>;

  // program is the name of the command; environment variables begin with it in capitals.
  flags(std::string program, std::string summary);

  // Each of these adds a flag whose default is what *to holds now; *to must live as long as the
  // flags.
  // Panics:  a name taken twice, or not of a-z, 0-9 and '-' (caller's bug).

  // text takes any text, or what check lets pass; its error reads as what is expected: "want
  // host:port".
  flags& text(std::string name, std::string* to, std::string help, checker check = {});
  flags& boolean(std::string name, bool* to, std::string help);
  flags& integer(std::string name, std::int64_t* to, std::string help, std::int64_t min,
                 std::int64_t max);
  // duration takes "500ms", "20s", "1m30s", "1.5h" and "0"; never negative.
  flags& duration(std::string name, vole::duration* to, std::string help);
  flags& choice(std::string name, std::string* to, std::initializer_list<std::string_view> of,
                std::string help);
  // address takes "host:port" and, with none_allowed, "none" (which leaves *to empty).
  flags& address(std::string name, std::string* to, std::string help, bool none_allowed = false);
  // url takes a URL (or a path) and is shown without the password in it.
  flags& url(std::string name, std::string* to, std::string help, checker check = {});
  flags& secret(std::string name, vole::secret<std::string>* to, std::string help);
  flags& log_level(std::string name, log::level* to, std::string help);
  flags& log_format(std::string name, log::format* to, std::string help);
  flags& error_stacks(std::string name, errors::stacks* to, std::string help);

  // example adds a line to the end of --help.
  flags& example(std::string line);

  // parse reads argv and the environment. A value: leave main with it; everything has been printed.
  std::optional<int> parse(int argc, char const* const* argv);
  // parse_from is parse without a process: args without the program's name, printing nothing.
  outcome parse_from(std::span<char const* const> args, environment const& from);

  // help is what --help prints: every flag with its default and its environment variable.
  std::string help() const;
  // entries is every setting as it stands, for /debug/config.
  std::vector<config_entry> entries() const;
  std::string const& program() const noexcept { return program_; }

 private:
  enum class source : std::uint8_t { by_default, environment, flag };
  struct flag {
    std::string name;
    std::string environment;
    std::string value_name;  // "" for a boolean
    std::string help;
    std::string shown_default;
    bool hidden;                                 // its value is never printed, not even when bad
    std::function<error(std::string_view)> set;  // the error says what is expected
    std::function<std::string()> show;
    source from = source::by_default;
  };

  flags& add(std::string name, std::string value_name, std::string help,
             std::function<error(std::string_view)> set, std::function<std::string()> show,
             bool hidden = false);
  outcome bad_usage(std::string text) const;
  outcome bad_value(flag const& which, source from, std::string_view given,
                    error const& expected) const;
  outcome unexpected(std::string const& word) const;
  std::string nearest(std::string_view name) const;
  // words takes apart what CLI11 would misread; returns a flag whose value is another flag.
  std::optional<std::string> words(std::span<char const* const> args,
                                   std::vector<std::string>& to) const;

  std::string program_;
  std::string summary_;
  std::vector<flag> flags_;
  std::vector<std::string> examples_;
};

// parse_duration reads what the flag takes; format_duration writes it: "1m30s", "250ms", "0s".
result<vole::duration> parse_duration(std::string_view text);
std::string format_duration(vole::duration d);

// redact_url hides the password of a URL, in its authority and in a "password" parameter:
// "postgres://folio:[redacted]@db/folio".
std::string redact_url(std::string_view url);

}  // namespace vole::service
