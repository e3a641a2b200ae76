// SPDX-License-Identifier: Apache-2.0
#pragma once
// Where results go: standard output as Go prints it, or one JSON event per line as `go test -json`
// makes of it (cmd/test2json). One goroutine's; no shared state.

#include <cstdio>
#include <string>
#include <string_view>

namespace vole::bench {

class sink {
 public:
  // out stays the caller's.
  sink(std::FILE* out, bool json, std::string package);

  // write takes text in pieces; what ends with a line is visible at once.
  void write(std::string_view text);

 private:
  void line(std::string_view text);
  void begin_benchmark(std::string_view name);
  void end_run(std::string_view verdict);
  void event(std::string_view action, std::string_view benchmark, std::string_view output = {},
             double elapsed = -1);

  std::FILE* out_;
  bool json_;
  std::string package_;
  std::string partial_;    // of a line
  std::string benchmark_;  // that runs
};

// json_quote is text as a JSON string, with its quotes; bytes that are no UTF-8 become U+FFFD.
std::string json_quote(std::string_view text);

}  // namespace vole::bench
