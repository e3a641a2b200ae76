// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <ucontext.h>
#include <vector>

#include "vole/bench.h"

#include "symbol/modules.h"
#include "symbol/symbolize.h"
#include "symbol/unwind.h"
#include "symbol/unwind_tables.h"

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

// From a frame's registers, as a signal finds them: by published tables and by those in place.
using walk_fn = std::size_t (*)(registers const&, stack_bounds, std::span<std::uintptr_t>,
                                too_deep) noexcept;
void climb_16_frames(bench::benchmark& b, walk_fn walk) {
  std::array<std::uintptr_t, depth> pcs{};
  std::size_t frames = 0;
  refresh_unwind_tables();
  int const levels = nested(depth, [&] {
    int local = 0;
    stack_bounds const bounds = around(&local);
    ucontext_t here;
    ::getcontext(&here);
    while (b.loop()) {
      frames = walk(interrupted(&here), bounds, pcs, too_deep::leave_out_outermost);
    }
  });
  bench::keep(levels);
  b.report_metric(static_cast<double>(frames), "frames");
}

VOLE_BENCH(unwind_sampled_16_frames) {
  climb_16_frames(b, &unwind_sampled);
}
VOLE_BENCH(unwind_interrupted_16_frames) {
  climb_16_frames(b, &unwind_interrupted);
}

VOLE_BENCH(refresh_unwind_tables_known) {
  refresh_unwind_tables();
  while (b.loop()) refresh_unwind_tables();
  b.report_metric(static_cast<double>(unwind_tables_bytes()), "table-B");
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
