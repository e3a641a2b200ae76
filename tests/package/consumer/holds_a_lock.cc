// SPDX-License-Identifier: Apache-2.0
// A std::mutex that is held over a yield; ends when nobody has anything to report any more.
#include <mutex>

#include "vole/go.h"
#include "vole/runtime.h"

int main() {
  return vole::run([] {
    std::mutex mu;  // tidy: std::mutex, what is reported
    {
      std::lock_guard const lock(mu);
      vole::runtime::yield();
    }
    while (vole::runtime::goroutines() != 1) vole::runtime::yield();
  });
}
