// SPDX-License-Identifier: Apache-2.0
//
// /debug/pprof/: parameters, status codes, header fields and error texts as Go's net/http/pprof,
// since pprof, Pyroscope and others read them. No shared state but what scrapers have seen.
//
// Nothing is sent before a profile is whole: the status can still say that it failed.
// Source: Go net/http/pprof/pprof.go; what `go tool pprof` asks for.

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "vole/context.h"
#include "vole/go.h"
#include "vole/http/pprof.h"
#include "vole/internal/format.h"
#include "vole/pprof.h"

#include "http/pprof_index.h"
#include "pprof/delta.h"
#include "pprof/flame.h"
#include "pprof/prune.h"
#include "pprof/reader.h"
#include "symbol/symbolize.h"

namespace vole::http {
namespace {

constexpr std::string_view plain_text = "text/plain; charset=utf-8";
constexpr std::string_view prefix = "/debug/pprof/";
constexpr std::int64_t seconds_default = 30;
constexpr std::int64_t seconds_max = 24 * 60 * 60;
constexpr std::uint64_t symbol_body_max = 16 << 20;

void no_sniff(response_writer& res) {
  res.header().set("X-Content-Type-Options", "nosniff");
}

// serve_error: pprof shows the text of an error only when X-Go-Pprof is there.
void serve_error(response_writer& res, int status, std::string_view text) {
  res.header().set("X-Go-Pprof", "1");
  reply(res, status, fmt::format("{}\n", text), plain_text);
}

void serve_file(response_writer& res, std::string_view name, std::string const& bytes) {
  res.header().set("Content-Disposition", fmt::format("attachment; filename=\"{}\"", name));
  reply(res, status::ok, bytes, "application/octet-stream");
}

// As Go's strconv.ParseInt: a sign, digits, nothing else. Not even a number: nullopt, with 0 in
// `saturated`; one that is too large: nullopt, with the nearest that there is.
std::optional<std::int64_t> parse_int(std::string_view text, std::int64_t* saturated = nullptr) {
  std::int64_t ignored = 0;
  std::int64_t& nearest = saturated == nullptr ? ignored : *saturated;
  bool const plus = text.starts_with('+');
  if (plus) text.remove_prefix(1);
  auto const [end, failure] = std::from_chars(text.data(), text.data() + text.size(), nearest);
  bool const whole = end == text.data() + text.size() && !(plus && text.starts_with('-'));
  if (whole && failure == std::errc{}) return nearest;
  using limits = std::numeric_limits<std::int64_t>;
  bool const large = whole && failure == std::errc::result_out_of_range;
  nearest = !large ? 0 : text.starts_with('-') ? limits::min() : limits::max();
  return std::nullopt;
}

std::string query(request& req, std::string_view name) {
  return req.url().query(name).value_or("");
}

// loose_int is the parameter's value as Go's Atoi leaves it when nobody looks at its error.
std::int64_t loose_int(request& req, std::string_view name) {
  std::int64_t value = 0;
  static_cast<void>(parse_int(query(req, name), &value));
  return value;
}

enum class form { file, flame_graph, unknown };

form form_of(request& req) {
  std::string const asked = query(req, "format");
  if (asked.empty() || asked == "proto" || asked == "pprof") return form::file;  // fgprof's word
  return asked == "flamegraph" ? form::flame_graph : form::unknown;
}

// refuse_unknown_form answers before a capture begins: who has mistyped need not wait for it.
bool refuse_unknown_form(response_writer& res, request& req) {
  if (form_of(req) != form::unknown) return false;
  serve_error(res, status::bad_request,
              "invalid value for \"format\" - must be flamegraph or proto");
  return true;
}

std::string program_name() {
  std::string_view const name = program_invocation_short_name;
  return std::string(name);
}

void serve_flame_graph(response_writer& res, request& req, std::string_view name,
                       std::string const& bytes) {
  std::string const type = query(req, "type");
  result<std::string> const page = blocking([&]() -> result<std::string> {
    pprof::parsed_profile p = VOLE_TRY(pprof::parse_profile(bytes), "read profile {}", name);
    pprof::prune_own(p);
    std::size_t const at = VOLE_TRY(pprof::type_index(p, type), "draw profile {}", name);
    return pprof::flame_page(p, fmt::format("{} of {}", name, program_name()), at);
  });
  if (!page) return serve_error(res, status::bad_request, page.error().message());
  reply(res, status::ok, *page, "text/html; charset=utf-8");
}

// serve_profile answers with a whole profile in the form that was asked for.
void serve_profile(response_writer& res, request& req, std::string_view name,
                   std::string const& bytes) {
  if (form_of(req) == form::flame_graph) return serve_flame_graph(res, req, name, bytes);
  serve_file(res, name, bytes);
}

// refuse_too_long answers when the request's deadline would come before the capture's end.
bool refuse_too_long(response_writer& res, request& req, std::int64_t seconds) {
  auto const deadline = req.ctx().deadline();
  if (!deadline || *deadline - vole::internal::now() >= std::chrono::seconds(seconds)) return false;
  serve_error(res, status::bad_request, "profile duration exceeds server's WriteTimeout");
  return true;
}

// wait_for sleeps unless the request ends first; then it says so and returns false.
bool wait_for(response_writer& res, request& req, std::int64_t seconds) {
  error const err = time::sleep(req.ctx(), std::chrono::seconds(seconds));
  if (!err) return true;
  serve_error(res, status::internal_server_error, err.message());
  return false;
}

// seconds_of says how long to capture.
std::int64_t seconds_of(request& req) {
  std::int64_t const seconds = parse_int(query(req, "seconds")).value_or(0);
  return seconds > 0 ? std::min(seconds, seconds_max) : seconds_default;
}

void serve_cpu(response_writer& res, request& req) {
  no_sniff(res);
  if (refuse_unknown_form(res, req)) return;
  std::int64_t const seconds = seconds_of(req);
  if (refuse_too_long(res, req, seconds)) return;
  result<pprof::cpu_profile> cpu = pprof::start_cpu();
  if (!cpu) {
    serve_error(res, status::internal_server_error,
                fmt::format("Could not enable CPU profiling: {}", cpu.error()));
    return;
  }
  if (wait_for(res, req, seconds)) serve_profile(res, req, "profile", cpu->stop());
}

void serve_wall(response_writer& res, request& req) {
  no_sniff(res);
  if (refuse_unknown_form(res, req)) return;
  std::int64_t const seconds = seconds_of(req);
  if (refuse_too_long(res, req, seconds)) return;
  result<pprof::wall_profile> wall = pprof::start_wall();
  if (!wall) {
    serve_error(res, status::internal_server_error,
                fmt::format("Could not enable wall profiling: {}", wall.error()));
    return;
  }
  if (!wait_for(res, req, seconds)) return;
  if (loose_int(req, "debug") > 0) {
    reply(res, status::ok, wall->stop(1), plain_text);
  } else {
    serve_profile(res, req, "wall", wall->stop());
  }
}

void serve_delta(response_writer& res, request& req, pprof::profile const& p,
                 std::string_view seconds_text) {
  std::int64_t const seconds = std::min(parse_int(seconds_text).value_or(0), seconds_max);
  if (seconds <= 0) {
    serve_error(res, status::bad_request,
                "invalid value for \"seconds\" - must be a positive integer");
    return;
  }
  if (!p.has_delta()) {
    serve_error(res, status::bad_request,
                "\"seconds\" parameter is not supported for this profile type");
    return;
  }
  if (loose_int(req, "debug") != 0) {
    serve_error(res, status::bad_request, "seconds and debug params are incompatible");
    return;
  }
  if (refuse_too_long(res, req, seconds)) return;
  pprof::delta change = p.begin_delta();
  if (wait_for(res, req, seconds)) {
    serve_profile(res, req, fmt::format("{}-delta", p.name()), change.finish());
  }
}

void serve_named(response_writer& res, request& req, std::string_view name) {
  no_sniff(res);
  pprof::profile const* const p = pprof::lookup(name);
  if (p == nullptr) {
    serve_error(res, status::not_found, "Unknown profile");
    return;
  }
  if (refuse_unknown_form(res, req)) return;
  if (std::string const seconds = query(req, "seconds"); !seconds.empty()) {
    serve_delta(res, req, *p, seconds);
    return;
  }
  std::int64_t const debug = loose_int(req, "debug");
  std::string bytes = p->write(static_cast<int>(std::clamp<std::int64_t>(debug, 0, 2)));
  if (debug == 0) {
    serve_profile(res, req, p->name(), bytes);
  } else {
    reply(res, status::ok, bytes, plain_text);
  }
  // The kernel takes back the 64 MiB of a long dump in 5 ms.
  blocking([&bytes] { std::string().swap(bytes); });
}

std::vector<std::string> command_line() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  std::vector<std::string> words;
  for (std::string word; std::getline(file, word, '\0');) words.push_back(word);
  return words;
}

handler cmdline_page(pprof_options options) {
  return [show = std::move(options.show_arguments)](response_writer& res, request&) {
    no_sniff(res);
    auto words = command_line();
    if (show) show(words);
    std::string line;
    for (auto const& word : words) {
      line += word;
      line += '\0';
    }
    if (!line.empty()) line.pop_back();
    reply(res, status::ok, line, plain_text);
  };
}

// pc_of reads a number as Go's ParseUint does with base 0; 0 when it is none.
std::uintptr_t pc_of(std::string_view word) {
  int base = 10;
  if (word.size() > 1 && word[0] == '0') {
    char const letter = static_cast<char>(word[1] | 0x20);
    base = letter == 'x' ? 16 : letter == 'b' ? 2 : 8;
    word.remove_prefix(letter == 'x' || letter == 'b' || letter == 'o' ? 2 : 1);
  }
  std::uintptr_t pc = 0;
  auto const [end, failure] = std::from_chars(word.data(), word.data() + word.size(), pc, base);
  return failure == std::errc{} && end == word.data() + word.size() ? pc : 0;
}

// next_pc takes the first of "0x1234+0x5678" off.
std::uintptr_t next_pc(std::string_view& words) {
  std::size_t const plus = words.find('+');
  std::uintptr_t const pc = pc_of(words.substr(0, plus));
  words.remove_prefix(plus == std::string_view::npos ? words.size() : plus + 1);
  return pc;
}

// append_names adds a line for each that has a name.
void append_names(std::string& lines, std::vector<std::uintptr_t> const& pcs) {
  symbol::pc_names const names(pcs);
  for (std::uintptr_t const pc : pcs) {
    symbol::symbolized const& known = names.of(pc);
    if (known.function_start == 0) continue;
    fmt::format_to(std::back_inserter(lines), "{:#x} {}\n", pc, known.frames.back().function);
  }
}

// names_of answers "0x1234+0x5678". A few bytes ask for a long name, so it ends when the answer has
// become as large as a question may be: who asks takes what has no line for nameless.
std::string names_of(std::string_view words) {
  constexpr std::size_t in_a_batch = 4096;
  std::string lines;
  std::vector<std::uintptr_t> batch;
  while (!words.empty() && lines.size() < symbol_body_max) {
    std::uintptr_t const pc = next_pc(words);
    if (pc != 0) batch.push_back(pc);
    if (batch.size() < in_a_batch && !words.empty()) continue;
    append_names(lines, batch);
    batch.clear();
  }
  return lines;
}

void serve_symbol(response_writer& res, request& req) {
  no_sniff(res);
  // pprof asks only whether the number is 0: no symbols to be had.
  std::string answer = "num_symbols: 1\n";
  if (req.method() == "POST") {
    req.set_body_limit(symbol_body_max);
    result<std::string_view> const body = req.read_body();
    if (body) {
      answer += blocking([&] { return names_of(*body); });
    } else {
      answer += fmt::format("reading request: {}\n", body.error());
    }
  } else {
    answer += blocking([&] { return names_of(req.url().raw_query()); });
  }
  reply(res, status::ok, answer, plain_text);
}

void serve_trace(response_writer& res, request&) {
  no_sniff(res);
  serve_error(
      res, status::not_implemented,
      "Could not enable tracing: vole writes no execution traces yet; /debug/pprof/goroutine "
      "and /debug/pprof/block show what waits for what");
}

// scraper_of tells scrapers apart: by machine, and by program on it.
std::string scraper_of(request const& req) {
  std::string_view const from = req.remote_addr();
  return fmt::format("{} {}", from.substr(0, from.rfind(':')), req.header().get("User-Agent"));
}

// scrape_page is one of godeltaprof's, which Pyroscope's agents ask for: what has changed since the
// scraper's last visit.
handler scrape_page(std::string_view name, std::shared_ptr<pprof::scrape_deltas> const& seen) {
  return [name, seen](response_writer& res, request& req) {
    no_sniff(res);
    pprof::profile const* const p = pprof::lookup(name);
    if (p == nullptr) return serve_error(res, status::not_found, "Unknown profile");
    serve_file(res, fmt::format("{}.pprof.gz", name), seen->next(*p, scraper_of(req)));
  };
}

void serve_index(response_writer& res, request& req) {
  std::string_view name = req.path();
  if (name.starts_with(prefix)) name.remove_prefix(prefix.size());
  if (!name.empty() && name != req.path()) return serve_named(res, req, name);
  no_sniff(res);
  reply(res, status::ok, pprof_index_html(), "text/html; charset=utf-8");
}

}  // namespace

// Read only, as Go's; symbol alone is posted to as well, by pprof, which asks for many names.
void handle_pprof(mux& pages, pprof_options options) {
  pages.handle("GET /debug/pprof/", serve_index);
  pages.handle("GET /debug/pprof/cmdline", cmdline_page(std::move(options)));
  pages.handle("GET /debug/pprof/profile", serve_cpu);
  pages.handle("GET /debug/pprof/symbol", serve_symbol);
  pages.handle("POST /debug/pprof/symbol", serve_symbol);
  pages.handle("GET /debug/pprof/trace", serve_trace);
  pages.handle("GET /debug/pprof/wall", serve_wall);
  pages.handle("GET /debug/fgprof", serve_wall);
  auto const seen = std::make_shared<pprof::scrape_deltas>();
  pages.handle("GET /debug/pprof/delta_heap", scrape_page("heap", seen));
  pages.handle("GET /debug/pprof/delta_block", scrape_page("block", seen));
  pages.handle("GET /debug/pprof/delta_mutex", scrape_page("mutex", seen));
}

}  // namespace vole::http
