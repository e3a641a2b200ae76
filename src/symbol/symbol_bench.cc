// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "vole/bench.h"

#include "symbol/modules.h"
#include "symbol/symbolize.h"
#include "symbol/unwind.h"

namespace vole::symbol {
namespace {

constexpr std::size_t depth = 16;

// The part of a stack around a local variable: what is called from there, and what these benches
// climb.
stack_bounds around(void const* local) {
  auto const at = reinterpret_cast<std::uintptr_t>(local);
  return {at - 2048, at + 8192};
}

// Calls fn below `levels` frames of its own.
template <class Fn>
[[gnu::noipa]] int nested(int levels, Fn const& fn) {
  if (levels == 0) {
    fn();
    return 0;
  }
  int const below = nested(levels - 1, fn);
  asm volatile("" : : : "memory");
  return below + 1;
}

VOLE_BENCH(unwind_16_frames) {
  std::array<std::uintptr_t, depth> pcs{};
  std::size_t frames = 0;
  int const levels = nested(depth, [&] {
    int local = 0;
    stack_bounds const bounds = around(&local);
    while (b.loop()) frames = unwind_here(bounds, pcs);
  });
  bench::keep(levels);
  b.report_metric(static_cast<double>(frames), "frames");
}

// Return addresses of a real stack, as a profile has them.
std::vector<std::uintptr_t> some_pcs() {
  std::vector<std::uintptr_t> pcs(depth);
  nested(depth, [&] {
    int local = 0;
    pcs.resize(unwind_here(around(&local), pcs));
  });
  return pcs;
}

VOLE_BENCH(symbolize_known) {
  auto const pcs = some_pcs();
  bench::keep(symbolize(pcs));
  while (b.loop()) bench::keep(symbolize(pcs));
  b.report_metric(static_cast<double>(pcs.size()), "pcs");
}

VOLE_BENCH(symbolize_afresh) {
  auto const pcs = some_pcs();
  while (b.loop()) {
    release_symbols();
    bench::keep(symbolize(pcs));
  }
  b.report_metric(static_cast<double>(pcs.size()), "pcs");
}

}  // namespace
}  // namespace vole::symbol
