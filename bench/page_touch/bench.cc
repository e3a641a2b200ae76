// SPDX-License-Identifier: Apache-2.0
// The floor of start_parked: touch one fresh page in each 256 KiB, as many as goroutines are
// started there (1m: VOLE_PARKED); guarded: after a guard was put on another page of each. The
// kernel does all of the work, so the two sides differ by noise only. warm-ns: to read them all
// once more.

#include "vole/bench.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <sys/mman.h>

#include "process_memory.h"

using namespace vole;

namespace {

constexpr std::size_t stride = 256 << 10;
constexpr int madv_guard_install = 102;  // Linux 6.13

void touch_pages(bench::benchmark& b, std::int64_t pages, bool guarded) {
  std::size_t const bytes = static_cast<std::size_t>(pages) * stride;
  std::int64_t touched = 0;
  bench::memory grown;
  std::chrono::nanoseconds warm{};
  while (b.loop()) {
    b.stop_timer();
    void* const at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) return b.fatal("no {} bytes of address space", bytes);
    ::madvise(at, bytes, MADV_NOHUGEPAGE);
    auto* const low = static_cast<char volatile*>(at);
    auto const before = bench::memory::now();
    b.start_timer();
    for (std::size_t page = 0; page < bytes; page += stride) {
      if (guarded &&
          ::madvise(const_cast<char*>(low) + page + stride / 2, 4096, madv_guard_install) != 0)
        return b.skip("the kernel has no guards");
      low[page] = 1;
    }
    b.stop_timer();
    grown.grow_by(before);
    auto const again = std::chrono::steady_clock::now();
    for (std::size_t page = 0; page < bytes; page += stride) touched += low[page];
    warm += std::chrono::steady_clock::now() - again;
    ::munmap(at, bytes);
    b.start_timer();
  }
  grown.report(b, pages, "page");
  b.report_metric(static_cast<double>(warm.count()) / static_cast<double>(pages * b.n),
                  "warm-ns/page");
  b.report_metric(static_cast<double>(touched) / static_cast<double>(b.n), "check/op");
}

VOLE_BENCH(page_touch) {
  b.run("100k", [](bench::benchmark& b) { touch_pages(b, 100'000, false); });
  b.run("100k_guarded", [](bench::benchmark& b) { touch_pages(b, 100'000, true); });
  b.run("1m", [](bench::benchmark& b) { touch_pages(b, bench::goroutines_parked(), false); });
}

}  // namespace
