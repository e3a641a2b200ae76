// SPDX-License-Identifier: Apache-2.0
// What the hooks in front of malloc cost: a pair of malloc and free through them, and the same
// straight from libc.

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <vector>

#include "vole/bench.h"
#include "vole/internal/clock.h"
#include "vole/pprof.h"

#include "runtime/sanitizer.h"

using namespace vole;

#if !VOLE_ASAN && !VOLE_TSAN

// libc's exported doors to its allocator.
extern "C" void* __libc_malloc(std::size_t bytes);
extern "C" void __libc_free(void* block);

namespace {

constexpr std::size_t bytes = 64;

[[gnu::always_inline]] inline void* seen(void* block) {
  asm volatile("" : "+r"(block) : : "memory");
  return block;
}

VOLE_BENCH(malloc_free_libc) {
  while (b.loop()) __libc_free(seen(__libc_malloc(bytes)));
}

VOLE_BENCH(malloc_free_hooked) {
  while (b.loop()) std::free(seen(std::malloc(bytes)));
}

// What the hooks add: short stretches of both in turn, so that both have the same processor, and
// the median of what the second took longer.
constexpr int pairs = 4096;
constexpr std::size_t rounds_max = 10'001;

[[gnu::noipa]] double libc_ns() {
  time_point const begun = internal::monotonic_now();
  for (int i = 0; i < pairs; ++i) __libc_free(seen(__libc_malloc(bytes)));
  return static_cast<double>((internal::monotonic_now() - begun).count()) / pairs;
}
[[gnu::noipa]] double hooked_ns() {
  time_point const begun = internal::monotonic_now();
  for (int i = 0; i < pairs; ++i) std::free(seen(std::malloc(bytes)));
  return static_cast<double>((internal::monotonic_now() - begun).count()) / pairs;
}

double median(std::vector<double>& v) {
  auto const middle = v.begin() + static_cast<std::ptrdiff_t>(v.size() / 2);
  std::nth_element(v.begin(), middle, v.end());
  return *middle;
}

VOLE_BENCH(malloc_free_hooks_add) {
  std::vector<double> libc;
  std::vector<double> more;
  libc.reserve(rounds_max);
  more.reserve(rounds_max);
  while (b.loop()) {
    double const without = libc_ns();
    double const with = hooked_ns();
    if (more.size() == rounds_max) continue;
    libc.push_back(without);
    more.push_back(with - without);
  }
  b.report_metric(median(libc), "libc-ns/pair");
  b.report_metric(median(more), "more-ns/pair");
}

VOLE_BENCH(malloc_free_hooked_rate_0) {
  std::size_t const rate = pprof::heap_rate();
  pprof::set_heap_rate(0);
  while (b.loop()) std::free(seen(std::malloc(bytes)));
  pprof::set_heap_rate(rate);
}

VOLE_BENCH(new_delete_hooked) {
  while (b.loop()) ::operator delete(seen(::operator new(bytes)), bytes);
}

}  // namespace

#endif
