// SPDX-License-Identifier: Apache-2.0
// What a context that can end takes: a thousand are alive, each op replaces one of them.

#include "vole/bench.h"

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "vole/context.h"

using namespace vole;

namespace {

VOLE_BENCH(context_bytes) {
  auto const [parent, cancel_parent] = context::with_cancel(context::background());
  std::vector<std::pair<context, cancel_handle>> alive(1000);
  std::size_t at = 0;
  b.report_allocs();
  while (b.loop()) {
    alive[at] = context::with_cancel(parent);
    at = (at + 1) % alive.size();
  }
  std::int64_t live = 0;
  for (auto const& [ctx, cancel] : alive) live += ctx.err() ? 0 : 1;
  b.report_metric(b.n < 1000 ? 1000 : static_cast<double>(live), "check/op");
}

}  // namespace
