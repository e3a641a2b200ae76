// SPDX-License-Identifier: Apache-2.0
#pragma once
// Where results go: standard output as Go prints it, or one JSON event per line as `go test -json`
// makes of it (cmd/test2json). One goroutine's; no shared state, but for the end that a signal
// makes (interrupt.h).

#include <cstdio>
#include <string>
#include <string_view>

namespace vole::bench {

class sink {
 public:
  // out stays the caller's.
  sink(std::FILE* out, bool json, std::string package);

  // write takes text in pieces; what ends with a line is visible at once. Nothing is written after
  // something was lost.
  void write(std::string_view text);
  // lost is the errno for which something could not be written; 0: nothing was lost.
  [[nodiscard]] int lost() const { return lost_; }
  // end is for a run that does not come to its verdict: as an event, it has failed.
  void end(double seconds);

 private:
  void put(std::string_view text);
  void line(std::string_view text);
  void begin_benchmark(std::string_view name);
  void end_run(std::string_view verdict);
  void event(std::string_view action, std::string_view benchmark, std::string_view output = {},
             double elapsed = -1);

  std::FILE* out_;
  bool json_;
  std::string package_;
  int lost_ = 0;
  std::string partial_;    // of a line
  std::string benchmark_;  // that runs
};

// json_quote is text as a JSON string, with its quotes; bytes that are no UTF-8 become U+FFFD.
std::string json_quote(std::string_view text);

}  // namespace vole::bench
