// SPDX-License-Identifier: Apache-2.0
// A benchmark with VOLE_PLANTED per mille more work in it than at 0: what tests/stress/ab_proof.sh
// lets `vole bench ab` find. The extra work stands in a function of its own.
#include <cstdint>

#include "vole/bench.h"

namespace {

// A chain of multiplications: each waits for the one before, so that time follows the rounds.
std::uint64_t mix(std::uint64_t x, int rounds) {
  for (int i = 0; i < rounds; ++i) {
    x = (x ^ x >> 29) * 0xBF58476D1CE4E5B9U;
    asm volatile("" : "+r"(x));
  }
  return x;
}

[[gnu::noinline]] std::uint64_t expected_work(std::uint64_t x) {
  return mix(x, 1000);
}

[[gnu::noinline]] std::uint64_t planted_work(std::uint64_t x) {
  return mix(x, VOLE_PLANTED);
}

VOLE_BENCH(planted) {
  std::uint64_t x = 1;
  while (b.loop()) x = planted_work(expected_work(x));
  vole::bench::keep(x);
}

}  // namespace
