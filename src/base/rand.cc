// SPDX-License-Identifier: Apache-2.0
// wyrand per thread, seeded from the kernel. Source: Wang Yi, wyhash (public domain), generator
// step only.

#include "base/rand.h"

#include <ctime>
#include <sys/random.h>

namespace vole::internal {
namespace {

[[gnu::tls_model("initial-exec")]] constinit thread_local std::uint64_t state = 0;

std::uint64_t kernel_seed() noexcept {
  std::uint64_t s = 0;
  if (::getrandom(&s, sizeof s, GRND_NONBLOCK) != sizeof s) {
    timespec t{};
    ::clock_gettime(CLOCK_MONOTONIC, &t);
    s = static_cast<std::uint64_t>(t.tv_nsec) ^ reinterpret_cast<std::uint64_t>(&state);
  }
  return s | 1;
}

}  // namespace

[[gnu::noinline]] std::uint64_t fast_rand() noexcept {
  std::uint64_t s = state;
  if (s == 0) s = kernel_seed();
  s += 0xa0761d6478bd642fULL;
  state = s;
  __extension__ using wide = unsigned __int128;
  wide const product = static_cast<wide>(s) * (s ^ 0xe7037ed1a0b428dbULL);
  return static_cast<std::uint64_t>(product >> 64) ^ static_cast<std::uint64_t>(product);
}

void seed_fast_rand(std::uint64_t seed) noexcept {
  state = seed | 1;
}

}  // namespace vole::internal
