// SPDX-License-Identifier: Apache-2.0
// Put words with one argument in front of an error.

#include "vole/bench.h"

#include <cstdint>

#include "vole/errors.h"

using namespace vole;

namespace {

VOLE_BENCH(errors_wrap) {
  error const cause = errors::make("connection refused");
  std::int64_t wrapped = 0;
  int id = 0;
  while (b.loop()) {
    error const err = errors::wrap(cause, "load portfolio for user {}", ++id & 1023);
    if (err) ++wrapped;
    bench::keep(err);
  }
  b.report_metric(static_cast<double>(wrapped) / static_cast<double>(b.n), "check/op");
}

}  // namespace
