// SPDX-License-Identifier: Apache-2.0
// CLI11 splits the command line; values, messages and --help are our own, so that an error names
// the flag or the variable, the value given, and what is expected. No shared state.
#include "vole/service/flags.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <numeric>

#include "vole/assert.h"
#include "vole/internal/format.h"

namespace vole::service {
namespace {

// What stands for the empty value of "--name=", in whose place CLI11 would take the next word.
constexpr std::string_view empty_value("\0", 1);

bool is_flag_name(std::string_view name) noexcept {
  return !name.empty() && name[0] >= 'a' && name[0] <= 'z' && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

// "folio" and "drain-timeout" make FOLIO_DRAIN_TIMEOUT.
std::string environment_name(std::string_view program, std::string_view flag) {
  std::string name = fmt::format("{}_{}", program, flag);
  for (char& c : name) {
    bool const word = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    c = word ? static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c) : '_';
  }
  return name;
}

// distance counts the letters to insert, delete or replace between a and b.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      std::size_t const replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

error check_host_port(std::string_view text) {
  auto const colon = text.rfind(':');
  bool good = colon != std::string_view::npos;
  if (good) {
    auto const host = text.substr(0, colon);
    auto const port = text.substr(colon + 1);
    std::uint32_t number = 0;
    auto const [end, code] = std::from_chars(port.data(), port.data() + port.size(), number);
    bool const bracketed = host.starts_with('[') && host.ends_with(']');
    good = code == std::errc() && end == port.data() + port.size() && number <= 65535 &&
           (bracketed || host.find(':') == std::string_view::npos);
  }
  return good ? error() : errors::make("want host:port, such as 127.0.0.1:8080");
}

std::string shown(std::string_view value) {
  return value.empty() ? "none" : std::string(value);
}

std::string join(std::vector<std::string> const& words) {
  std::string out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) out += i + 1 == words.size() ? " or " : ", ";
    out += words[i];
  }
  return out;
}

}  // namespace

flags::flags(std::string program, std::string summary)
    : program_(std::move(program)), summary_(std::move(summary)) {}

flags& flags::add(std::string name, std::string value_name, std::string help,
                  std::function<error(std::string_view)> set, std::function<std::string()> show,
                  bool hidden) {
  VOLE_REQUIRE(is_flag_name(name) && name != "help", "flag {:?}: want a name of a-z, 0-9 and '-'",
               name);
  for (auto const& other : flags_) {
    VOLE_REQUIRE(other.name != name, "flag --{}: added twice", name);
  }
  std::string environment = environment_name(program_, name);
  std::string shown_default = show();
  flags_.push_back({std::move(name), std::move(environment), std::move(value_name), std::move(help),
                    std::move(shown_default), hidden, std::move(set), std::move(show)});
  return *this;
}

flags& flags::text(std::string name, std::string* to, std::string help, checker check) {
  auto set = [to, check = std::move(check)](std::string_view value) -> error {
    if (check) {
      if (error err = check(value)) return err;
    }
    *to = value;
    return nullptr;
  };
  return add(std::move(name), "TEXT", std::move(help), std::move(set), [to] { return shown(*to); });
}

flags& flags::boolean(std::string name, bool* to, std::string help) {
  auto set = [to](std::string_view value) -> error {
    if (value != "true" && value != "false" && value != "1" && value != "0") {
      return errors::make("want true or false");
    }
    *to = value == "true" || value == "1";
    return nullptr;
  };
  return add(std::move(name), "", std::move(help), std::move(set),
             [to] { return std::string(*to ? "true" : "false"); });
}

flags& flags::integer(std::string name, std::int64_t* to, std::string help, std::int64_t min,
                      std::int64_t max) {
  auto set = [to, min, max](std::string_view value) -> error {
    std::int64_t number = 0;
    auto const [end, code] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (code != std::errc() || end != value.data() + value.size() || number < min || number > max) {
      return errors::make("want a whole number from {} to {}", min, max);
    }
    *to = number;
    return nullptr;
  };
  return add(std::move(name), "NUMBER", std::move(help), std::move(set),
             [to] { return std::to_string(*to); });
}

flags& flags::duration(std::string name, vole::duration* to, std::string help) {
  auto set = [to](std::string_view value) -> error {
    auto const parsed = parse_duration(value);
    if (!parsed) return errors::make("want a duration such as 500ms, 20s or 1m30s");
    *to = *parsed;
    return nullptr;
  };
  return add(std::move(name), "DURATION", std::move(help), std::move(set),
             [to] { return format_duration(*to); });
}

flags& flags::choice(std::string name, std::string* to, std::initializer_list<std::string_view> of,
                     std::string help) {
  std::vector<std::string> words(of.begin(), of.end());
  std::string value_name;
  for (auto const& word : words) value_name.append(value_name.empty() ? "" : "|").append(word);
  auto set = [to, words = std::move(words)](std::string_view value) -> error {
    if (std::ranges::find(words, value) == words.end()) return errors::make("want {}", join(words));
    *to = value;
    return nullptr;
  };
  return add(std::move(name), std::move(value_name), std::move(help), std::move(set),
             [to] { return *to; });
}

flags& flags::address(std::string name, std::string* to, std::string help, bool none_allowed) {
  auto set = [to, none_allowed](std::string_view value) -> error {
    if (none_allowed && value == "none") {
      to->clear();
      return nullptr;
    }
    if (error err = check_host_port(value)) {
      return none_allowed ? errors::make("{}, or none", err) : err;
    }
    *to = value;
    return nullptr;
  };
  return add(std::move(name), "HOST:PORT", std::move(help), std::move(set),
             [to] { return shown(*to); });
}

flags& flags::url(std::string name, std::string* to, std::string help, checker check) {
  auto set = [to, check = std::move(check)](std::string_view value) -> error {
    if (check) {
      if (error err = check(value)) return err;
    }
    *to = value;
    return nullptr;
  };
  return add(std::move(name), "URL", std::move(help), std::move(set),
             [to] { return shown(redact_url(*to)); });
}

flags& flags::secret(std::string name, vole::secret<std::string>* to, std::string help) {
  auto set = [to](std::string_view value) -> error {
    *to = vole::secret<std::string>(std::string(value));
    return nullptr;
  };
  auto show = [to] { return std::string(to->reveal().empty() ? "none" : redacted_text); };
  return add(std::move(name), "SECRET", std::move(help), std::move(set), std::move(show), true);
}

flags& flags::log_level(std::string name, log::level* to, std::string help) {
  auto set = [to](std::string_view value) -> error {
    auto const parsed = log::parse_level(value);
    if (!parsed) return errors::make("want debug, info, warn or error");
    *to = *parsed;
    return nullptr;
  };
  auto show = [to] {
    std::string text = log::level_text(*to);
    std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
    return text;
  };
  return add(std::move(name), "LEVEL", std::move(help), std::move(set), std::move(show));
}

flags& flags::error_stacks(std::string name, errors::stacks* to, std::string help) {
  static constexpr std::string_view words[] = {"off", "sampled", "always"};
  auto set = [to](std::string_view value) -> error {
    auto const* const at = std::ranges::find(words, value);
    if (at == std::end(words)) return errors::make("want off, sampled or always");
    *to = static_cast<errors::stacks>(at - words);
    return nullptr;
  };
  return add(std::move(name), "off|sampled|always", std::move(help), std::move(set),
             [to] { return std::string(words[static_cast<std::size_t>(*to)]); });
}

flags& flags::log_format(std::string name, log::format* to, std::string help) {
  auto set = [to](std::string_view value) -> error {
    auto const parsed = log::parse_format(value);
    if (!parsed) return errors::make("want text or json");
    *to = *parsed;
    return nullptr;
  };
  return add(std::move(name), "text|json", std::move(help), std::move(set),
             [to] { return std::string(*to == log::format::json ? "json" : "text"); });
}

flags& flags::example(std::string line) {
  examples_.push_back(std::move(line));
  return *this;
}

flags::outcome flags::bad_usage(std::string text) const {
  return {outcome::action::bad_usage, fmt::format("{}: {}\n", program_, text)};
}

flags::outcome flags::bad_value(flag const& which, source from, std::string_view given,
                                error const& expected) const {
  std::string const value = which.hidden ? std::string(redacted_text) : redact_url(given);
  if (from == source::environment) {
    return bad_usage(fmt::format("{}={:?}: {}", which.environment, value, expected));
  }
  return bad_usage(fmt::format("--{} {:?}: {}", which.name, value, expected));
}

std::string flags::nearest(std::string_view name) const {
  std::string best;
  if (name.size() < 2) return best;  // a letter is near to everything
  std::size_t best_distance = std::max<std::size_t>(2, name.size() / 3) + 1;
  for (auto const& f : flags_) {
    std::size_t const d = distance(name, f.name);
    if (d < best_distance) {
      best = f.name;
      best_distance = d;
    }
  }
  return best;
}

flags::outcome flags::unexpected(std::string const& word) const {
  if (!word.starts_with('-')) return bad_usage(fmt::format("unexpected argument {:?}", word));
  std::string const name = word.substr(0, word.find('='));
  std::string const close = nearest(std::string_view(name).substr(
      name.find_first_not_of('-') == std::string::npos ? name.size()
                                                       : name.find_first_not_of('-')));
  return bad_usage(close.empty() ? fmt::format("unknown flag {}; --help lists all flags", name)
                                 : fmt::format("unknown flag {}; did you mean --{}?", name, close));
}

std::optional<std::string> flags::words(std::span<char const* const> args,
                                        std::vector<std::string>& to) const {
  auto const takes_value = [this](std::string_view word) {
    return std::ranges::any_of(flags_, [&](flag const& f) {
      return !f.value_name.empty() && word.starts_with("--") && word.substr(2) == f.name;
    });
  };
  for (std::size_t i = 0; i < args.size(); ++i) {
    std::string_view const word = args[i];
    if (word.ends_with('=') && takes_value(word.substr(0, word.size() - 1))) {
      to.emplace_back(word.substr(0, word.size() - 1));
      to.emplace_back(empty_value);
      continue;
    }
    bool const flag_follows =
        i + 1 < args.size() && std::string_view(args[i + 1]).starts_with("--");
    if (flag_follows && takes_value(word)) return std::string(word);
    to.emplace_back(word);
  }
  return std::nullopt;
}

flags::outcome flags::parse_from(std::span<char const* const> args, environment const& from) {
  CLI::App cli;
  cli.set_help_flag("-h,--help");
  cli.allow_extras();
  std::vector<std::string> raw(flags_.size());
  std::vector<CLI::Option*> options;
  for (std::size_t i = 0; i < flags_.size(); ++i) {
    std::string const name = "--" + flags_[i].name;
    auto* option =
        flags_[i].value_name.empty() ? cli.add_flag(name, raw[i]) : cli.add_option(name, raw[i]);
    options.push_back(option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast));
  }
  std::vector<std::string> given_words;
  if (auto const bare = words(args, given_words)) {
    return bad_usage(
        fmt::format("flag {0} needs a value (one that begins with -- is written "
                    "{0}=VALUE)",
                    *bare));
  }
  try {
    std::ranges::reverse(given_words);  // as CLI11 wants them
    cli.parse(given_words);
  } catch (CLI::CallForHelp const&) {
    return {outcome::action::help, help()};
  } catch (CLI::ArgumentMismatch const& e) {
    std::string const what = e.what();
    return bad_usage(fmt::format("flag {} needs a value", what.substr(0, what.find(':'))));
  } catch (CLI::Error const& e) {
    return bad_usage(e.what());
  }
  if (auto const extra = cli.remaining(); !extra.empty()) return unexpected(extra.front());
  for (std::size_t i = 0; i < flags_.size(); ++i) {
    auto& f = flags_[i];
    std::optional<std::string> given;
    if (options[i]->count() > 0) {
      f.from = source::flag;
      given = raw[i] == empty_value ? "" : raw[i];
    } else if ((given = from(f.environment)) && !given->empty()) {
      f.from = source::environment;
    } else {
      continue;
    }
    if (error err = f.set(*given)) return bad_value(f, f.from, *given, err);
  }
  return {};
}

std::optional<int> flags::parse(int argc, char const* const* argv) {
  auto const args = std::span(argv, static_cast<std::size_t>(argc)).subspan(argc > 0 ? 1 : 0);
  auto const done = parse_from(args, [](std::string const& name) -> std::optional<std::string> {
    char const* const value = std::getenv(name.c_str());
    if (value == nullptr) return std::nullopt;
    return value;
  });
  if (done.next == outcome::action::run) return std::nullopt;
  bool const help = done.next == outcome::action::help;
  fmt::print(help ? stdout : stderr, "{}", done.text);
  return help ? 0 : 2;
}

std::string flags::help() const {
  std::size_t width = std::string_view("--help").size();
  auto const head = [](flag const& f) {
    return f.value_name.empty() ? "--" + f.name : fmt::format("--{} {}", f.name, f.value_name);
  };
  for (auto const& f : flags_) width = std::max(width, head(f).size());
  std::string out = fmt::format("{}\n\nUsage: {} [flags]\n\nFlags:\n", summary_, program_);
  for (auto const& f : flags_) {
    out += fmt::format("  {:{}}  {}\n", head(f), width, f.help);
    out += fmt::format("  {:{}}  default {}; environment {}\n", "", width, f.shown_default,
                       f.environment);
  }
  out += fmt::format("  {:{}}  this text\n", "--help", width);
  out +=
      "\nA flag on the command line wins over its environment variable; an empty variable is no "
      "value.\n";
  if (!examples_.empty()) out += "\nExamples:\n";
  for (auto const& line : examples_) out += fmt::format("  {}\n", line);
  return out;
}

std::vector<config_entry> flags::entries() const {
  std::vector<config_entry> out;
  for (auto const& f : flags_) {
    char const* const from = f.from == source::flag          ? "flag"
                             : f.from == source::environment ? "environment"
                                                             : "default";
    out.push_back({f.name, f.environment, f.show(), from, f.help});
  }
  return out;
}

}  // namespace vole::service
