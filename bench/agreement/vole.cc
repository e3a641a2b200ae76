// SPDX-License-Identifier: Apache-2.0
// The ten kernels under vole's harness.

#include "vole/bench.h"

#include "kernels.h"

#define VOLE_MEASURE(kernel)                    \
  VOLE_BENCH(kernel) {                          \
    agreement::inputs in;                       \
    while (b.loop()) {                          \
      vole::bench::keep(agreement::kernel(in)); \
    }                                           \
  }

namespace {
VOLE_AGREEMENT_KERNELS(VOLE_MEASURE)
}  // namespace
