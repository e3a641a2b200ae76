// SPDX-License-Identifier: Apache-2.0
// What gdb_test.py looks at: goroutines that wait, one with a local, and one that runs.
#include <csignal>

#include "vole/chan.h"
#include "vole/go.h"
#include "vole/internal/atomic.h"
#include "vole/sync.h"
#include "vole/testing.h"

namespace subject {

[[gnu::noipa]] void wait_deep(vole::chan<int> const& c, int depth) {
  int volatile answer = 40 + depth;
  if (depth == 0) {
    static_cast<void>(c.recv());
  } else {
    wait_deep(c, depth - 1);
  }
  answer = answer + 1;
}

[[gnu::noipa]] void stop_here() {
  ::raise(SIGTRAP);
}

}  // namespace subject

int main() {
  return vole::run([] {
    vole::chan<int> const c(0);
    vole::sync::wait_group all;
    all.go([c] { subject::wait_deep(c, 2); });
    all.go([c] { subject::wait_deep(c, 0); });
    vole::testing::wait_until_parked(2);
    subject::stop_here();
    c.close();
    all.wait();
  });
}
