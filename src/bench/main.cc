// SPDX-License-Identifier: Apache-2.0
//
// What makes a benchmark program of a set of benchmarks (library vole_bench_main): main(). The
// blocks and bytes that benchmarks report are counted by the runtime's hooks of malloc. No shared
// state.

#include "vole/bench.h"

int main(int argc, char** argv) {
  return vole::bench::main(argc, argv);
}
