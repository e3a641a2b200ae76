// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "vole/bench.h"
#include "vole/result.h"

namespace vole {
namespace {

inline constinit errors::sentinel not_found{"not found"};

struct code_5 : errors::typed_base {
  std::string message() const override { return "code 5"; }
  int code = 5;
};

[[gnu::noipa]] result<int> good(int n) {
  return n;
}
[[gnu::noipa]] result<int> bad(int) {
  return not_found;
}
[[gnu::noipa]] result<int> through(result<int> (*fn)(int), int n) {
  auto const value = VOLE_TRY(fn(n), "look up {}", n);
  return value + 1;
}

// wrapped is a chain of `depth` wraps around not_found.
error wrapped(error err, int depth) {
  for (int i = 0; i < depth; ++i) err = errors::wrap(std::move(err), "level {}", i);
  return err;
}

VOLE_BENCH(error_make) {
  b.report_allocs();
  while (b.loop()) bench::keep(errors::make("connection refused"));
}

VOLE_BENCH(error_wrap) {
  b.report_allocs();
  error const cause = not_found;
  while (b.loop()) bench::keep(errors::wrap(cause, "load portfolio for user {}", "usr_abc123"));
}

VOLE_BENCH(error_copy) {
  error const err = errors::make("shared");
  while (b.loop()) {
    error copy = err;
    bench::keep(copy);
  }
}

VOLE_BENCH(error_from_errno) {
  b.report_allocs();
  while (b.loop()) bench::keep(errors::from_errno(111));
}

VOLE_BENCH(error_is_10_deep) {
  error const err = wrapped(not_found, 10);
  while (b.loop()) bench::keep(errors::is(err, not_found));
}

VOLE_BENCH(error_as_10_deep) {
  error const err = wrapped(errors::make_typed<code_5>(), 10);
  while (b.loop()) bench::keep(errors::as<code_5>(err));
}

VOLE_BENCH(error_message_3_deep) {
  b.report_allocs();
  error const err = wrapped(not_found, 3);
  while (b.loop()) bench::keep(err.message());
}

VOLE_BENCH(try_passes_a_value) {
  int sum = 0;
  while (b.loop()) sum += *through(&good, 1);
  bench::keep(sum);
}

VOLE_BENCH(try_passes_an_error) {
  b.report_allocs();
  int failures = 0;
  while (b.loop()) failures += through(&bad, 1) ? 0 : 1;
  bench::keep(failures);
}

}  // namespace
}  // namespace vole
