// SPDX-License-Identifier: Apache-2.0
// The ten kernels under vole's harness.

#include "vole/bench.h"

#include "kernels.h"

#define VOLE_MEASURE(kernel)                                 \
  VOLE_BENCH(kernel) {                                       \
    auto const made = std::make_unique<agreement::inputs>(); \
    agreement::inputs& in = *made;                           \
    while (b.loop()) {                                       \
      vole::bench::keep(agreement::kernel(in));              \
      vole::bench::clobber();                                \
    }                                                        \
  }

namespace {
VOLE_AGREEMENT_KERNELS(VOLE_MEASURE)
}  // namespace
