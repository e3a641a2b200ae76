// SPDX-License-Identifier: Apache-2.0
//
// Results as text or as events. The events are made from the lines, which are the same in both
// forms. No shared state.
// Source: go doc test2json. Differs: what benchmarks log is not in the stream, it is on stderr.

#include "bench/sink.h"

#include <charconv>
#include <chrono>
#include <cstddef>
#include <ctime>
#include <utility>

#include "vole/internal/format.h"

#include "bench/interrupt.h"
#include "bench/output.h"

namespace vole::bench {
namespace {

std::string rfc3339_now() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  std::tm utc{};
  gmtime_r(&now.tv_sec, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:09}Z", utc.tm_year + 1900,
                     utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, now.tv_nsec);
}

// The length of the UTF-8 character at the beginning of text; 0 when it is none.
std::size_t utf8_length(std::string_view text) {
  auto const byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  std::size_t const length = byte(0) < 0x80             ? 1
                             : (byte(0) & 0xe0) == 0xc0 ? 2
                             : (byte(0) & 0xf0) == 0xe0 ? 3
                             : (byte(0) & 0xf8) == 0xf0 ? 4
                                                        : 0;
  if (length == 0 || length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  return length;
}

}  // namespace

std::string json_quote(std::string_view text) {
  std::string quoted = "\"";
  while (!text.empty()) {
    std::size_t const length = utf8_length(text);
    char const c = text.front();
    if (length == 0) {
      quoted += "\\ufffd";
    } else if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (c == '\n') {
      quoted += "\\n";
    } else if (c == '\t') {
      quoted += "\\t";
    } else if (static_cast<unsigned char>(c) < 0x20) {
      quoted += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      quoted += text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return quoted + '"';
}

sink::sink(std::FILE* out, bool json, std::string package)
    : out_(out), json_(json), package_(std::move(package)) {
  if (!json_) return;
  interrupt::last_event(fmt::format(R"("Action":"fail","Package":{})", json_quote(package_)));
  event("start", {});
}

void sink::put(std::string_view text) {
  if (lost_ == 0 && !interrupt::last_event_written()) lost_ = write_all(out_, text);
}

void sink::write(std::string_view text) {
  if (!json_) return put(text);
  partial_ += text;
  for (std::size_t end = 0; (end = partial_.find('\n')) != std::string::npos;) {
    line(std::string_view(partial_).substr(0, end + 1));
    partial_.erase(0, end + 1);
  }
}

void sink::event(std::string_view action, std::string_view benchmark, std::string_view output,
                 double elapsed) {
  std::string text = fmt::format(R"({{"Time":"{}","Action":"{}","Package":{})", rfc3339_now(),
                                 action, json_quote(package_));
  if (!benchmark.empty()) text += fmt::format(R"(,"Test":{})", json_quote(benchmark));
  if (!output.empty()) text += fmt::format(R"(,"Output":{})", json_quote(output));
  if (elapsed >= 0) text += fmt::format(R"(,"Elapsed":{:.3f})", elapsed);
  text += "}\n";
  put(text);
}

void sink::end(double seconds) {
  if (!json_) return;
  if (!partial_.empty()) write("\n");
  event("fail", {}, {}, seconds);
}

void sink::begin_benchmark(std::string_view name) {
  benchmark_ = name;
  event("run", benchmark_);
  event("output", benchmark_, fmt::format("=== RUN   {}\n", name));
}

// end_run reads "ok  \tpkg\t1.234s" and "FAIL\tpkg\t1.234s".
void sink::end_run(std::string_view verdict) {
  double seconds = 0;
  std::size_t const at = verdict.rfind('\t') + 1;
  std::from_chars(verdict.data() + at, verdict.data() + verdict.size(), seconds);
  event("output", {}, verdict);
  event(verdict.starts_with("ok") ? "pass" : "fail", {}, {}, seconds);
}

void sink::line(std::string_view text) {
  std::string_view const words = text.substr(0, text.size() - 1);
  if (words.starts_with("Benchmark") && words.find_first_of(" \t") == std::string_view::npos) {
    begin_benchmark(words);
    event("output", benchmark_, text);
    return;
  }
  struct end {
    std::string_view prefix;
    std::string_view action;
  };
  for (end const& e : {end{"--- FAIL: ", "fail"}, end{"--- SKIP: ", "skip"}}) {
    if (!words.starts_with(e.prefix)) continue;
    std::string_view const name = words.substr(e.prefix.size());
    event("output", name, text);
    event(e.action, name);
    return;
  }
  if (words.starts_with("ok  \t") || words.starts_with("FAIL\t")) return end_run(text);
  event("output", words.starts_with("Benchmark") ? benchmark_ : std::string_view{}, text);
}

}  // namespace vole::bench
