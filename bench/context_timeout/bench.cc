// SPDX-License-Identifier: Apache-2.0
// Make a context with a timeout below another one and cancel it in time.

#include "vole/bench.h"

#include <chrono>
#include <cstdint>

#include "vole/context.h"

using namespace vole;

namespace {

VOLE_BENCH(context_timeout) {
  auto const [parent, cancel_parent] = context::with_cancel(context::background());
  std::int64_t ended = 0;
  while (b.loop()) {
    auto const [ctx, cancel] = context::with_timeout(parent, std::chrono::hours(1));
    cancel();
    if (ctx.err()) ++ended;
  }
  b.report_metric(static_cast<double>(ended) / static_cast<double>(b.n), "check/op");
}

}  // namespace
