// SPDX-License-Identifier: Apache-2.0
//
// The door to callgrind. No shared state.
// Source: valgrind manual, "Callgrind", client requests and --collect-atstart. A request is a few
//   instructions that do nothing outside valgrind.

#include "bench/callgrind.h"

#include <fstream>
#include <string_view>
#include <utility>

#include "vole/internal/format.h"

#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#define VOLE_HAS_CALLGRIND 1
#else
#define VOLE_HAS_CALLGRIND 0
#endif

namespace vole::bench::callgrind {

bool available() noexcept {
  return VOLE_HAS_CALLGRIND != 0;
}

void toggle() noexcept {
#if VOLE_HAS_CALLGRIND
  CALLGRIND_TOGGLE_COLLECT;
#endif
}

void forget() noexcept {
#if VOLE_HAS_CALLGRIND
  CALLGRIND_ZERO_STATS;
#endif
}

std::optional<std::uint64_t> take(std::string const& dir, int serial) {
#if VOLE_HAS_CALLGRIND
  CALLGRIND_DUMP_STATS;
#endif
  std::ifstream file(fmt::format("{}/out.{}", dir, serial));
  constexpr std::string_view key = "totals: ";
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(key)) return std::stoull(line.substr(key.size()));
  }
  return std::nullopt;
}

std::vector<std::string> command(std::string const& dir, std::vector<std::string> argv) {
  std::vector<std::string> whole{"valgrind",
                                 "-q",
                                 "--tool=callgrind",
                                 "--collect-atstart=no",
                                 "--log-file=" + dir + "/log",
                                 "--callgrind-out-file=" + dir + "/out"};
  for (std::string& arg : argv) whole.push_back(std::move(arg));
  return whole;
}

}  // namespace vole::bench::callgrind
