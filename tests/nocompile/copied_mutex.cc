// SPDX-License-Identifier: Apache-2.0
// A lock that is copied guards nothing.
// Error: (use of deleted function|call to implicitly-deleted copy constructor)
#include "vole/sync.h"

struct account {
  vole::sync::mutex mu;
};

void work(account const& from) {
#ifdef MENDED
  account const& same = from;
#else
  account const same = from;
#endif
  static_cast<void>(same);
}
