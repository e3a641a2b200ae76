// SPDX-License-Identifier: Apache-2.0
// The ten kernels under Google Benchmark.

#include <benchmark/benchmark.h>

#include "kernels.h"

#define VOLE_MEASURE(kernel)                                 \
  void kernel(benchmark::State& state) {                     \
    auto const made = std::make_unique<agreement::inputs>(); \
    agreement::inputs& in = *made;                           \
    for (auto _ : state) {                                   \
      benchmark::DoNotOptimize(agreement::kernel(in));       \
      benchmark::ClobberMemory();                            \
    }                                                        \
  }                                                          \
  BENCHMARK(kernel);

namespace {
VOLE_AGREEMENT_KERNELS(VOLE_MEASURE)
}  // namespace

BENCHMARK_MAIN();
