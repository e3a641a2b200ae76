// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include "vole/chan.h"
#include "vole/go.h"
#include "vole/testing.h"

using namespace vole;

int main() {
  return run([] {
    // No test sleeps until the other side "must be there by now": it waits until it is.
    chan<int> const c(0);
    go([c] { c.send(1); });
    testing::wait_until_parked(1);  // the sender waits for a receiver
    fmt::print("received {}\n", c.recv().value());

    // What a test started must have ended when it has.
    testing::leak_check const check;
    chan<int> const nobody(0);
    go([nobody] { nobody.recv(); });
    testing::wait_until_parked(1);
    std::string const left = check.report(duration::zero());
    fmt::print("left behind: {}\n", left.find("[chan receive]") != std::string::npos);

    nobody.close();
    fmt::print("left behind: {}\n", !check.report().empty());
  });
}

// Output:
// received 1
// left behind: true
// left behind: false
