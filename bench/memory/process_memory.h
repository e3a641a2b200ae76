// SPDX-License-Identifier: Apache-2.0
#pragma once
// What this process holds, as the kernel sees it, and what it took to get it, for the cases that
// start many goroutines; the Go twins have the same in memory.go. No shared state.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <sys/resource.h>

#include "vole/bench.h"

namespace vole::bench {

// goroutines_parked is how many the largest cases start: VOLE_PARKED, or a million.
inline int goroutines_parked() {
  char const* const text = std::getenv("VOLE_PARKED");
  return text == nullptr ? 1'000'000 : std::atoi(text);
}

struct memory {
  std::int64_t resident_bytes = 0;
  std::int64_t page_table_bytes = 0;
  std::int64_t minor_faults = 0;  // since the start
  std::chrono::steady_clock::time_point at;
  std::chrono::nanoseconds cold{};  // how long the first round took

  static memory now() {
    memory found;
    if (std::FILE* const status = std::fopen("/proc/self/status", "r")) {
      char line[256];
      while (std::fgets(line, sizeof line, status) != nullptr) {
        long kib = 0;
        if (std::sscanf(line, "VmRSS: %ld", &kib) == 1) found.resident_bytes = kib * 1024;
        if (std::sscanf(line, "VmPTE: %ld", &kib) == 1) found.page_table_bytes = kib * 1024;
      }
      std::fclose(status);
    }
    rusage used{};
    if (::getrusage(RUSAGE_SELF, &used) == 0) found.minor_faults = used.ru_minflt;
    found.at = std::chrono::steady_clock::now();
    return found;
  }

  // grow_by takes what came since `before`, where that is more than in the rounds so far: later
  // ones find memory that earlier ones have left.
  void grow_by(memory const& before) {
    memory const after = now();
    resident_bytes = std::max(resident_bytes, after.resident_bytes - before.resident_bytes);
    page_table_bytes = std::max(page_table_bytes, after.page_table_bytes - before.page_table_bytes);
    minor_faults = std::max(minor_faults, after.minor_faults - before.minor_faults);
    if (cold.count() == 0) cold = after.at - before.at;
  }

  // report says it of each of n things: resident memory, that with the page tables, page faults,
  // and the time of the first round.
  void report(benchmark& b, std::int64_t n, std::string const& thing) const {
    auto const each = [n](std::int64_t all) {
      return static_cast<double>(all) / static_cast<double>(n);
    };
    b.report_metric(each(resident_bytes), "rss-B/" + thing);
    b.report_metric(each(resident_bytes + page_table_bytes), "mem-B/" + thing);
    b.report_metric(each(minor_faults), "faults/" + thing);
    b.report_metric(each(cold.count()), "cold-ns/" + thing);
  }
};

}  // namespace vole::bench
