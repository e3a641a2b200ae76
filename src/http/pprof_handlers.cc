// SPDX-License-Identifier: Apache-2.0
//
// /debug/pprof/: parameters, status codes, header fields and error texts as Go's net/http/pprof,
// since pprof, Pyroscope and others read them. No shared state.
//
// Nothing is sent before a profile is whole: the status can still say that it failed.
// Source: Go net/http/pprof/pprof.go; what `go tool pprof` asks for.

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "vole/context.h"
#include "vole/go.h"
#include "vole/http/pprof.h"
#include "vole/pprof.h"

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

std::optional<std::int64_t> parse_int(std::string_view text) {
  std::int64_t value = 0;
  if (text.starts_with('+')) text.remove_prefix(1);
  auto const [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// int_query is the parameter's value, 0 when it is missing or no number.
std::int64_t int_query(request& req, std::string_view name) {
  return parse_int(req.url().query(name).value_or("")).value_or(0);
}

// wait_for sleeps unless the request ends first; then it says so and returns false.
bool wait_for(response_writer& res, request& req, std::int64_t seconds) {
  error const err = time::sleep(req.ctx(), std::chrono::seconds(std::min(seconds, seconds_max)));
  if (!err) return true;
  bool const late = errors::is(err, context::deadline_exceeded);
  serve_error(res, late ? status::request_timeout : status::internal_server_error, err.message());
  return false;
}

void serve_cpu(response_writer& res, request& req) {
  no_sniff(res);
  std::int64_t seconds = int_query(req, "seconds");
  if (seconds <= 0) seconds = seconds_default;
  result<pprof::cpu_profile> cpu = pprof::start_cpu();
  if (!cpu) {
    serve_error(res, status::internal_server_error,
                fmt::format("Could not enable CPU profiling: {}", cpu.error()));
    return;
  }
  if (wait_for(res, req, seconds)) serve_file(res, "profile", cpu->stop());
}

void serve_delta(response_writer& res, request& req, pprof::profile const& p,
                 std::string_view seconds_text) {
  std::int64_t const seconds = parse_int(seconds_text).value_or(0);
  if (seconds <= 0) {
    serve_error(res, status::bad_request,
                "invalid value for \"seconds\" - must be a positive integer");
    return;
  }
  if (int_query(req, "debug") != 0) {
    serve_error(res, status::bad_request, "seconds and debug params are incompatible");
    return;
  }
  pprof::delta change = p.begin_delta();
  if (wait_for(res, req, seconds)) {
    serve_file(res, fmt::format("{}-delta", p.name()), change.finish());
  }
}

void serve_named(response_writer& res, request& req, std::string_view name) {
  no_sniff(res);
  pprof::profile const* const p = pprof::lookup(name);
  if (p == nullptr) {
    serve_error(res, status::not_found, "Unknown profile");
    return;
  }
  if (auto const seconds = req.url().query("seconds"); seconds && !seconds->empty()) {
    serve_delta(res, req, *p, *seconds);
    return;
  }
  std::int64_t const debug = std::clamp<std::int64_t>(int_query(req, "debug"), 0, 2);
  std::string const bytes = p->write(static_cast<int>(debug));
  if (debug == 0) {
    serve_file(res, p->name(), bytes);
  } else {
    reply(res, status::ok, bytes, plain_text);
  }
}

void serve_cmdline(response_writer& res, request&) {
  no_sniff(res);
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  std::string line{std::istreambuf_iterator<char>(file), {}};
  if (line.ends_with('\0')) line.pop_back();
  reply(res, status::ok, line, plain_text);
}

// names_of answers "0x1234+0x5678" with a line for each that has a name.
std::string names_of(std::string_view words) {
  std::string lines;
  while (!words.empty()) {
    std::size_t const plus = words.find('+');
    std::string_view word = words.substr(0, plus);
    words.remove_prefix(plus == std::string_view::npos ? words.size() : plus + 1);
    bool const hex = word.starts_with("0x") || word.starts_with("0X");
    if (hex) word.remove_prefix(2);
    std::uintptr_t pc = 0;
    auto const [end, failure] =
        std::from_chars(word.data(), word.data() + word.size(), pc, hex ? 16 : 10);
    if (failure != std::errc{} || end != word.data() + word.size() || pc == 0) continue;
    symbol::symbolized const known = symbol::symbolize(pc);
    if (known.function_start == 0) continue;
    fmt::format_to(std::back_inserter(lines), "{:#x} {}\n", pc, known.frames.back().function);
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

struct page {
  std::string_view name;
  std::string_view description;
};

// What there is besides the profiles that lookup finds.
constexpr page other_pages[] = {
    {"cmdline", "the command line of this process"},
    {"profile", "where processor time is spent; ?seconds=N says for how long it looks (30)"},
    {"symbol", "names of program counters, for tools: ?0x1234+0x5678"},
};

std::string index_html() {
  struct row {
    page what;
    std::size_t count;
    std::string_view link_suffix;
  };
  std::vector<row> rows;
  for (pprof::profile const* p : pprof::profiles()) {
    rows.push_back({{p->name(), p->description()}, p->count(), "?debug=1"});
  }
  for (page const& p : other_pages) rows.push_back({p, 0, ""});
  std::sort(rows.begin(), rows.end(),
            [](row const& a, row const& b) { return a.what.name < b.what.name; });
  std::string html = R"(<!DOCTYPE html>
<html>
<head>
<meta charset="utf-8">
<title>/debug/pprof/</title>
<style>
td, th { padding: 0 1rem 0 0; text-align: left; }
td:first-child { text-align: right; }
</style>
</head>
<body>
<h1>/debug/pprof/</h1>
<p>Set debug=1 as a query parameter to read a profile as text; go tool pprof reads it without.</p>
<p>Types of profiles available:</p>
<table>
<tr><th>Count</th><th>Profile</th><th></th></tr>
)";
  for (row const& r : rows) {
    fmt::format_to(std::back_inserter(html),
                   "<tr><td>{}</td><td><a href=\"{}{}\">{}</a></td><td>{}</td></tr>\n", r.count,
                   r.what.name, r.link_suffix, r.what.name, r.what.description);
  }
  html +=
      "</table>\n<p><a href=\"goroutine?debug=2\">full goroutine stack "
      "dump</a></p>\n</body>\n</html>\n";
  return html;
}

void serve_index(response_writer& res, request& req) {
  std::string_view name = req.path();
  if (name.starts_with(prefix)) name.remove_prefix(prefix.size());
  if (!name.empty() && name != req.path()) return serve_named(res, req, name);
  no_sniff(res);
  reply(res, status::ok, index_html(), "text/html; charset=utf-8");
}

}  // namespace

void handle_pprof(mux& pages) {
  pages.handle("/debug/pprof/", serve_index);
  pages.handle("/debug/pprof/cmdline", serve_cmdline);
  pages.handle("/debug/pprof/profile", serve_cpu);
  pages.handle("/debug/pprof/symbol", serve_symbol);
}

}  // namespace vole::http
