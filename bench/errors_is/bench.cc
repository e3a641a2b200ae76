// SPDX-License-Identifier: Apache-2.0
// Find a sentinel below five wraps.

#include "vole/bench.h"

#include <cstdint>

#include "vole/errors.h"

using namespace vole;

namespace {

inline constinit errors::sentinel const no_rows{"no rows"};

VOLE_BENCH(errors_is) {
  error err = no_rows;
  for (int depth = 0; depth < 5; ++depth) err = errors::wrap(err, "at depth {}", depth);
  std::int64_t found = 0;
  while (b.loop()) {
    if (errors::is(err, no_rows)) ++found;
  }
  b.report_metric(static_cast<double>(found) / static_cast<double>(b.n), "check/op");
}

}  // namespace
