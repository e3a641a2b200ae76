// SPDX-License-Identifier: Apache-2.0
// Make a context below another one and cancel it.

#include "vole/bench.h"

#include <cstdint>

#include "vole/context.h"

using namespace vole;

namespace {

VOLE_BENCH(context_cancel) {
  auto const [parent, cancel_parent] = context::with_cancel(context::background());
  std::int64_t ended = 0;
  while (b.loop()) {
    auto const [ctx, cancel] = context::with_cancel(parent);
    cancel();
    if (ctx.err()) ++ended;
  }
  b.report_metric(static_cast<double>(ended) / static_cast<double>(b.n), "check/op");
}

}  // namespace
