// SPDX-License-Identifier: Apache-2.0
// Find a typed error below five wraps, and use what it carries.

#include "vole/bench.h"

#include <cstdint>
#include <string>

#include "vole/errors.h"

using namespace vole;

namespace {

struct query_error : errors::typed_base {
  explicit query_error(int number) : code(number) {}
  std::string message() const override { return "query failed"; }
  int code;
};

VOLE_BENCH(errors_as) {
  error err = errors::make_typed<query_error>(1);
  for (int depth = 0; depth < 5; ++depth) err = errors::wrap(err, "at depth {}", depth);
  std::int64_t found = 0;
  while (b.loop()) {
    if (auto const* query = errors::as<query_error>(err)) found += query->code;
  }
  b.report_metric(static_cast<double>(found) / static_cast<double>(b.n), "check/op");
}

}  // namespace
