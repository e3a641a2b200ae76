// SPDX-License-Identifier: Apache-2.0
// Look a value up that lies below ten others.

#include "vole/bench.h"

#include <cstdint>

#include "vole/context.h"

using namespace vole;

namespace {

struct wanted {
  using value_type = std::int64_t;
};
template <int I>
struct other {
  using value_type = std::int64_t;
};

template <int... I>
context below_ten(context ctx, std::integer_sequence<int, I...>) {
  ((ctx = context::with_value<other<I>>(ctx, I)), ...);
  return ctx;
}

VOLE_BENCH(context_value) {
  context const ctx = below_ten(context::with_value<wanted>(context::background(), 7),
                                std::make_integer_sequence<int, 10>());
  std::int64_t sum = 0;
  while (b.loop()) {
    bench::keep(ctx);
    sum += *ctx.value<wanted>();
  }
  b.report_metric(static_cast<double>(sum) / static_cast<double>(b.n), "check/op");
}

}  // namespace
