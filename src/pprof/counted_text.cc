// SPDX-License-Identifier: Apache-2.0
//
// Profiles with counts as text. No shared state.
// Source: Go runtime/pprof (printCountProfile, printStackRecord).

#include "pprof/counted_text.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <numeric>

#include "vole/internal/format.h"

#include "symbol/symbolize.h"

namespace vole::pprof {
namespace {

struct row {
  std::string pc;
  std::string function;  // empty when unknown
  std::string place;
};

std::vector<row> rows_of(std::vector<std::uintptr_t> const& pcs) {
  std::vector<std::uintptr_t> calls = pcs;
  for (std::uintptr_t& pc : calls) --pc;
  std::vector<symbol::symbolized> const named = symbol::symbolize(calls);
  std::vector<row> rows;
  for (std::size_t i = 0; i < pcs.size(); ++i) {
    if (calls[i] == left_out_pc) {
      rows.push_back({.pc = fmt::format("{:#x}", pcs[i]),
                      .function = std::string(left_out_name),
                      .place = {}});
      continue;
    }
    for (symbol::source_frame const& f : named[i].frames) {
      std::uintptr_t const start = named[i].function_start;
      rows.push_back(
          {.pc = fmt::format("{:#x}", pcs[i]),
           .function = start == 0 ? "" : fmt::format("{}+{:#x}", f.function, pcs[i] - start),
           .place = f.file.empty() ? "" : fmt::format("{}:{}", f.file, f.line)});
    }
  }
  return rows;
}

constexpr std::size_t column_max =
    72;  // names of templates can be much longer: they end the column

// pad fills up to the next tab stop behind the widest of the column, as Go's tabwriter does.
void pad(std::string& to, std::size_t length, std::size_t widest) {
  constexpr std::size_t tab = 8;
  std::size_t const stop = std::min(widest, column_max) / tab + 1;
  to.append(std::max(stop, length / tab + 1) - length / tab, '\t');
}

bool is_allocator(row const& r) {
  static constexpr std::string_view beginnings[] = {
      "operator new",  "malloc",         "calloc",          "realloc", "reallocarray",
      "aligned_alloc", "posix_memalign", "memalign",        "strdup",  "std::",
      "__gnu_cxx::",   "void std::",     "vole::internal::"};
  return std::any_of(std::begin(beginnings), std::end(beginnings),
                     [&](std::string_view b) { return r.function.starts_with(b); });
}

}  // namespace

void append_stack(std::string& to, std::vector<std::uintptr_t> const& pcs, leading_frames leading) {
  std::vector<row> rows = rows_of(pcs);
  if (leading == leading_frames::hide_allocators) {
    auto const shown = std::find_if_not(rows.begin(), rows.end(), is_allocator);
    if (shown != rows.end()) rows.erase(rows.begin(), shown);
  }
  std::size_t pc_width = 0;
  std::size_t function_width = 0;
  for (row const& r : rows) {
    pc_width = std::max(pc_width, r.pc.size());
    function_width = std::max(function_width, r.function.size());
  }
  for (row const& r : rows) {
    to += "#\t" + r.pc;
    if (!r.function.empty()) {
      pad(to, r.pc.size(), pc_width);
      to += r.function;
    }
    if (!r.place.empty()) {
      pad(to, r.function.size(), function_width);
      to += r.place;
    }
    to += '\n';
  }
}

std::string to_text(std::string_view name, std::vector<counted_stack> stacks) {
  std::sort(stacks.begin(), stacks.end(), [](counted_stack const& a, counted_stack const& b) {
    return a.count != b.count ? a.count > b.count : a.pcs < b.pcs;
  });
  std::int64_t const total =
      std::accumulate(stacks.begin(), stacks.end(), std::int64_t{0},
                      [](std::int64_t sum, counted_stack const& s) { return sum + s.count; });
  std::string text = fmt::format("{} profile: total {}\n", name, total);
  for (counted_stack const& s : stacks) {
    fmt::format_to(std::back_inserter(text), "{} @", s.count);
    for (std::uintptr_t const pc : s.pcs) fmt::format_to(std::back_inserter(text), " {:#x}", pc);
    text += '\n';
    if (!s.labels.empty()) text += "# labels: " + s.labels + '\n';
    append_stack(text, s.pcs, leading_frames::show);
    text += '\n';
  }
  return text;
}

std::string json_object(std::vector<text_label> const& labels) {
  auto const quoted = [](std::string_view text) {
    std::string out = "\"";
    for (char const c : text) {
      if (c == '"' || c == '\\') out += '\\';
      if (static_cast<unsigned char>(c) < 0x20) {
        out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
      } else {
        out += c;
      }
    }
    return out + '"';
  };
  if (labels.empty()) return {};
  std::vector<std::string> pairs;
  for (text_label const& l : labels) pairs.push_back(quoted(l.key) + ':' + quoted(l.value));
  std::sort(pairs.begin(), pairs.end());
  return fmt::format("{{{}}}", fmt::join(pairs, ", "));
}

}  // namespace vole::pprof
