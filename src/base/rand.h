// SPDX-License-Identifier: Apache-2.0
#pragma once
// Fast random numbers for scheduling choices; not for secrets.

#include <cstdint>

namespace vole::internal {

// fast_rand returns 64 random bits from a generator of the calling thread. Cost: about 2 ns.
std::uint64_t fast_rand() noexcept;

// seed_fast_rand fixes what fast_rand yields on the calling thread from now on: for tests.
void seed_fast_rand(std::uint64_t seed) noexcept;

// fast_rand_below returns a number in [0, n), n > 0, without division.
inline std::uint32_t fast_rand_below(std::uint32_t n) noexcept {
  return static_cast<std::uint32_t>(
      (static_cast<std::uint64_t>(static_cast<std::uint32_t>(fast_rand())) * n) >> 32);
}

}  // namespace vole::internal
