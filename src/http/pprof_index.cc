// SPDX-License-Identifier: Apache-2.0
// No shared state.
// Source: Go net/http/pprof (indexTmplExecute): the heading of the table and the names in it are
//   the same, since people and tools look for them.
#include "http/pprof_index.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <vector>

#include "vole/internal/format.h"
#include "vole/pprof.h"

#include "http/html.h"

namespace vole::http {
namespace {

struct entry {
  std::string_view name;
  std::string_view answer;
};

// What each profile is good for; those of the program itself say it themselves.
constexpr entry known[] = {
    {"allocs", "What has allocated memory since the start, and how much? It costs processor time."},
    {"block", "Where do goroutines wait for each other: channels, locks, groups; and how long?"},
    {"cmdline", "How was this process started?"},
    {"delta_block", "As block, since the same client came last. For scrapers."},
    {"delta_heap", "As heap, since the same client came last. For scrapers."},
    {"delta_mutex", "As mutex, since the same client came last. For scrapers."},
    {"goroutine", "What does each goroutine do, and what does it wait for? Leaks pile up here."},
    {"goroutineleak", "Which goroutines wait for something that nobody can give them any more?"},
    {"heap", "What holds memory now? Compare two to find a leak."},
    {"mutex", "Which unlocks kept others waiting, and how long? Who holds locks for too long?"},
    {"profile", "Where does processor time go? Looks for ?seconds=N, 30 unless you say."},
    {"symbol", "Names of program counters, for tools: ?0x1234+0x5678"},
    {"threadcreate", "Which threads are there, by name?"},
    {"trace", "An execution trace; not there yet."},
    {"wall", "Where does time go, waiting included? Looks for ?seconds=N; also at /debug/fgprof."},
};
// Those that no list of profiles holds.
constexpr std::string_view pages[] = {"cmdline", "delta_block", "delta_heap", "delta_mutex",
                                      "profile", "symbol",      "trace",      "wall"};
constexpr std::string_view captures[] = {"profile", "wall"};
constexpr std::string_view without_stacks = "threadcreate";  // no flame without them

constexpr std::string_view head = R"(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>/debug/pprof/</title>
<link rel="icon" href="data:,">
<style>
:root { --page: #fdfdfc; --text: #1c1b1a; --quiet: #5f5b57; --line: #d8d4cf; --link: #0a58ca; }
@media (prefers-color-scheme: dark) {
  :root { --page: #191817; --text: #eceae7; --quiet: #a8a39d; --line: #3c3936; --link: #7db4ff; }
}
body { margin: 24px auto; max-width: 72em; padding: 0 16px; background: var(--page);
       color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 22px; margin: 0; }
a { color: var(--link); }
table { border-collapse: collapse; width: 100%; margin: 8px 0 16px; }
th, td { padding: 6px 16px 6px 0; text-align: left; vertical-align: top;
         border-bottom: 1px solid var(--line); }
td:first-child, th:first-child { text-align: right; font-variant-numeric: tabular-nums; }
td:last-child { white-space: nowrap; }
th { color: var(--quiet); font-weight: normal; }
code { background: none; border: 1px solid var(--line); border-radius: 3px; padding: 0 4px; }
</style>
</head>
<body>
<h1>/debug/pprof/</h1>
<p>Any profile as a file: <code>go tool pprof</code> with its address, or <code>vole pprof</code>
where there is no Go. A flame graph needs a browser only. Add <code>seconds=N</code> to see what
changes in N seconds, <code>debug=1</code> to read counts as text.</p>
<p>Types of profiles available:</p>
<table>
<thead><tr><th>Count</th><th>Profile</th><th>What it answers</th><th>Read it</th></tr></thead>
)";

// A name of the program's own may hold what means something in an address.
std::string address_of(std::string_view name) {
  std::string out;
  for (char const c : name) {
    bool const plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '.' || c == '_' || c == '-';
    if (plain) {
      out += c;
    } else {
      fmt::format_to(std::back_inserter(out), "%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

bool is_in(std::string_view name, auto const& list) {
  return std::find(std::begin(list), std::end(list), name) != std::end(list);
}

struct row {
  std::string_view name;
  std::string_view answer;
  std::size_t count = 0;
};

std::string links(std::string_view name) {
  std::string const at = address_of(name);
  if (is_in(name, captures)) {
    return fmt::format("<a href=\"{0}?seconds=5&amp;format=flamegraph\">flame graph of 5 s</a>",
                       at);
  }
  if (is_in(name, pages)) return {};
  if (name == without_stacks) return fmt::format("<a href=\"{}?debug=1\">text</a>", at);
  return fmt::format(
      "<a href=\"{0}?format=flamegraph\">flame graph</a> <a href=\"{0}?debug=1\">text</a>", at);
}

}  // namespace

std::string pprof_index_html() {
  std::vector<row> rows;
  auto const add = [&rows](std::string_view name, std::string_view words, std::size_t count) {
    auto const* const at = std::ranges::find(known, name, &entry::name);
    rows.push_back({name, at == std::end(known) ? words : at->answer, count});
  };
  for (pprof::profile const* const p : pprof::profiles()) {
    add(p->name(), p->description(), p->count());
  }
  for (std::string_view const name : pages) add(name, {}, 0);
  std::ranges::sort(rows, {}, &row::name);
  std::string html(head);
  for (row const& r : rows) {
    bool const page = is_in(r.name, pages) || is_in(r.name, captures);
    fmt::format_to(std::back_inserter(html),
                   "<tr><td>{}</td><td><a href=\"{}{}\">{}</a></td><td>{}</td><td>{}</td></tr>\n",
                   r.count, address_of(r.name), page ? "" : "?debug=1", escape_html(r.name),
                   escape_html(r.answer), links(r.name));
  }
  html +=
      "</table>\n<p><a href=\"goroutine?debug=2\">full goroutine stack dump</a></p>\n</body>\n"
      "</html>\n";
  return html;
}

}  // namespace vole::http
