// SPDX-License-Identifier: Apache-2.0
#pragma once
// What is under way: a line on a terminal, overwritten again and again, and the words of an
// interruption. One goroutine's; no shared state.

#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>

#include "vole/internal/clock.h"

namespace vole::bench {

class progress {
 public:
  // parts is how many equal parts there are to do. on: log is a terminal.
  progress(std::FILE* log, bool on, std::size_t parts);

  // begin says what is measured now.
  void begin(std::string_view name, int round, int rounds);
  // clear takes the line away, before something else is printed.
  void clear();
  // done counts a part.
  void done() { ++done_; }

 private:
  std::FILE* log_;
  bool on_;
  bool shown_ = false;
  std::size_t parts_;
  std::size_t done_ = 0;
  time_point begun_;
};

// estimate_text is "12s gone, about 40s to go", or "12s gone" while no part is done.
std::string estimate_text(duration gone, std::size_t done, std::size_t parts);

}  // namespace vole::bench
