// SPDX-License-Identifier: Apache-2.0
// vole pprof: reads a profile from a file or from a process that runs, and prints what costs most.
// For hosts that have no Go.
// No shared state.
// Source: `go tool pprof`; its flags have one dash, so both spellings are taken.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <re2/re2.h>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <vector>

#include "vole/context.h"
#include "vole/go.h"
#include "vole/http/client.h"
#include "vole/internal/format.h"
#include "vole/os.h"
#include "vole/result.h"

#include "commands.h"
#include "pprof/flame.h"
#include "pprof/prune.h"
#include "pprof/reader.h"
#include "pprof/top.h"

namespace vole::cmd {
namespace {

constexpr int failed_status = 1;
constexpr int usage_status = 2;
constexpr std::size_t profile_bytes_max = 1U << 30;
constexpr char const* token_variable = "VOLE_ADMIN_TOKEN";

struct wishes {
  std::string source;
  std::string base;
  std::string type;
  std::string output;
  int seconds = 0;
  std::size_t rows = 0;
  bool top = false;
  bool flame = false;
  bool cum = false;
};

bool is_address(std::string const& source) {
  struct stat unused{};
  if (source == "-" || ::stat(source.c_str(), &unused) == 0) return false;
  return source.find("://") != source.npos || source.find(':') != source.npos;
}

// url_of completes an address as pprof does: the scheme, and the profile where only a host is
// given.
std::string url_of(std::string source, int seconds) {
  if (source.find("://") == source.npos) source.insert(0, "http://");
  std::size_t const host = source.find("://") + 3;
  std::size_t const path = source.find('/', host);
  if (path == source.npos) {
    source += "/debug/pprof/profile";
  } else if (path + 1 == source.size()) {
    source += "debug/pprof/profile";
  }
  if (seconds > 0) {
    source += fmt::format("{}seconds={}", source.find('?') == source.npos ? '?' : '&', seconds);
  }
  return source;
}

// How long the answer may take: half as long again as it captures, and 5 s.
std::chrono::milliseconds patience(std::string const& url) {
  std::size_t const at = url.find("seconds=");
  long seconds = at == url.npos ? 0 : std::strtol(url.c_str() + at + 8, nullptr, 10);
  constexpr long seconds_default = 40;  // profile without seconds looks for 30
  if (seconds <= 0) seconds = seconds_default;
  return std::chrono::milliseconds(1500 * seconds + 5000);
}

std::string first_line(std::string_view text) {
  return std::string(text.substr(0, text.find('\n')));
}

result<std::string> fetch(context const& ctx, std::string const& url) {
  auto const wait = patience(url);
  auto const [limited, cancel] = context::with_timeout(ctx, wait);
  http::client client({.response_header_timeout = wait});
  http::client_request ask{.url = url};
  if (char const* const token = std::getenv(token_variable)) {
    ask.header.set("Authorization", fmt::format("Bearer {}", token));
  }
  fmt::print(stderr, "Fetching profile over HTTP from {}\n", url);
  result<http::response> answer = client.send(limited, ask);
  if (!answer) return answer.error();
  result<std::string> const body = answer->read_all(limited, profile_bytes_max);
  if (!body) return errors::wrap(body.error(), "GET {}", url);
  int const status = answer->status();
  if (status != http::status::ok) {
    std::string const why = first_line(*body);
    return errors::make("GET {}: {} {}{}{}", url, status, http::status_text(status),
                        why.empty() ? "" : ": ", why);
  }
  return *body;
}

// hide_frames leaves out what the profile asks to hide. One that asks in words that are no regular
// expression is shown whole, as pprof does.
void hide_frames(pprof::parsed_profile& profile) {
  if (profile.drop_frames.empty()) return;
  re2::RE2::Options options;
  options.set_log_errors(false);
  re2::RE2 const drop(profile.drop_frames, options);
  re2::RE2 const keep(profile.keep_frames, options);
  for (re2::RE2 const* const one : {&drop, &keep}) {
    if (one->ok()) continue;
    fmt::print(stderr, "vole pprof: hides no functions: the profile asks for '{}': {}\n",
               one->pattern(), one->error());
    return;
  }
  pprof::prune(profile, [&](std::string_view name) {
    re2::StringPiece const text(name.data(), name.size());
    if (!re2::RE2::FullMatch(text, drop)) return false;
    return profile.keep_frames.empty() || !re2::RE2::FullMatch(text, keep);
  });
}

result<pprof::parsed_profile> load(context const& ctx, std::string const& source, int seconds) {
  std::string bytes;
  if (is_address(source)) {
    bytes = VOLE_TRY(fetch(ctx, url_of(source, seconds)), "fetch profile");
  } else if (source == "-") {
    bytes = VOLE_TRY(os::read_file("/dev/stdin"), "read profile from the standard input");
  } else {
    bytes = VOLE_TRY(os::read_file(source), "read profile");
  }
  result<pprof::parsed_profile> parsed = pprof::parse_profile(bytes);
  if (!parsed) return errors::wrap(parsed.error(), "{}", source);
  hide_frames(*parsed);
  return parsed;
}

result<std::string> render(context const& ctx, wishes const& w) {
  auto const profile = VOLE_TRY(load(ctx, w.source, w.seconds), "vole pprof");
  std::optional<pprof::parsed_profile> base;
  if (!w.base.empty()) {
    base = VOLE_TRY(load(ctx, w.base, w.seconds), "vole pprof");
    VOLE_TRY(pprof::check_same_types(profile, *base), "vole pprof");
  }
  auto const* const before = base ? &*base : nullptr;
  auto const type = VOLE_TRY(pprof::type_index(profile, w.type), "vole pprof");
  if (!w.flame) {
    return pprof::top_text(profile,
                           {.type = type, .base = before, .rows_max = w.rows, .by_cum = w.cum});
  }
  if (w.output.empty()) return pprof::flame_text(profile, type);
  return pprof::flame_page(profile, w.source, type, before);
}

int show(wishes const& w) {
  result<std::string> const text = render(context::background(), w);
  if (!text) {
    fmt::print(stderr, "{}\n", text.error());
    return failed_status;
  }
  if (w.output.empty()) {
    std::fwrite(text->data(), 1, text->size(), stdout);
    return std::fflush(stdout) == 0 ? 0 : failed_status;
  }
  if (error const err = os::write_file_atomic(w.output, *text)) {
    fmt::print(stderr, "vole pprof: write: {}\n", err);
    return failed_status;
  }
  fmt::print(stderr, "Wrote {}\n", w.output);
  return 0;
}

// Go's tools spell long flags with one dash; -n5 is one of one letter with its value.
void with_two_dashes(std::vector<std::string>& words, CLI::App const& own) {
  for (std::string& w : words) {
    if (w.size() <= 2 || w[0] != '-' || w[1] == '-') continue;
    std::string const flag = '-' + w.substr(0, w.find('='));
    if (own.get_option_no_throw(flag) != nullptr) w.insert(0, "-");
  }
}

}  // namespace

int pprof(std::vector<std::string> words) {
  wishes w;
  CLI::App own("Reads a profile (profile.proto) and prints what costs most.", "vole pprof");
  own.footer(
      "SOURCE is a file, '-' for the standard input, or an address such as "
      "localhost:6060/debug/pprof/heap;\na host alone means its CPU profile. A token for the "
      "admin server is taken from VOLE_ADMIN_TOKEN.");
  own.add_option("source", w.source, "file or address")->required()->type_name("SOURCE");
  auto* const top = own.add_flag("--top", w.top, "functions by what they cost (the default)");
  own.add_flag("--flame", w.flame, "the call tree; with -o, a flame graph for the browser")
      ->excludes(top);
  own.add_option("--diff", w.base, "show what has changed since this profile")->type_name("BASE");
  own.add_option("--seconds", w.seconds, "how long to capture")->check(CLI::PositiveNumber);
  own.add_option("--type", w.type, "which value: cpu, inuse_space, alloc_space, ...");
  own.add_option("-n,--rows", w.rows, "at most so many functions; 0: all");
  own.add_flag("--cum", w.cum, "sort by the time or size with everything called");
  own.add_option("-o,--output", w.output, "write to this file")->type_name("FILE");
  with_two_dashes(words, own);
  std::reverse(words.begin(), words.end());  // as CLI11 wants it
  try {
    own.parse(words);
  } catch (CLI::CallForHelp const& asked) {
    return own.exit(asked);
  } catch (CLI::ParseError const& wrong) {
    fmt::print(stderr, "vole pprof: {}\nRun 'vole pprof --help'.\n", wrong.what());
    return usage_status;
  }
  if (w.flame && !w.base.empty() && w.output.empty()) {
    fmt::print(stderr,
               "vole pprof: -flame with -diff is a page for the browser: add -o FILE.html\n");
    return usage_status;
  }
  int status = 0;
  vole::run([&] { status = show(w); });
  return status;
}

}  // namespace vole::cmd
