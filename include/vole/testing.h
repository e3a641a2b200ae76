// SPDX-License-Identifier: Apache-2.0
// What tests of concurrent code need: to know that others wait, and that nobody is left behind.
//
// The library vole_testing_main has a main() for GoogleTest that runs every test inside a
// goroutine, with a stack of 8 MiB, and fails each that leaves goroutines alive, naming them and
// who started them. No shared state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "vole/internal/clock.h"

namespace vole::testing {

// wait_until_parked returns as soon as at least n goroutines other than the caller are parked: what
// stands in a test where others have a sleep.
//   go([&] { c.send(1); });
//   testing::wait_until_parked(1);      // the sender waits
// Goroutines that a test inherited count too: say how many there are in all, or take parked()
// before. Blocks: yields, then parks for moments.   Cancels: no; a test that hangs here is the
// finding.
void wait_until_parked(std::size_t n);

// parked counts the goroutines other than the caller that are parked now.
std::size_t parked();

// leak_check notes who is alive when it is made; report() names those that came later and have not
// gone.
//   testing::leak_check check;
//   ... ;
//   EXPECT_EQ(check.report(), "");
class leak_check {
 public:
  leak_check();

  // report is empty, or lists each goroutine that is left: id, why it is parked, its stack, who
  // created it. Goroutines that are about to end are given up to `grace` to do so.
  std::string report(duration grace = std::chrono::seconds(2)) const;

 private:
  std::vector<std::uint64_t> before_;  // ids, sorted
};

}  // namespace vole::testing
