// SPDX-License-Identifier: Apache-2.0
#include "vole/synctest.h"

#include "runtime/bubble.h"

namespace vole::synctest {

void internal_::run(void (*invoke)(void*), void* arg) {
  internal::bubble::run(invoke, arg);
}

void wait() {
  internal::bubble::wait();
}

}  // namespace vole::synctest
