// SPDX-License-Identifier: Apache-2.0
// Groups of functions and the wait for them. all_well: ten that return no error; limit: a hundred,
// eight at a time; first_error: one fails, and nine wait until that has ended the group's context.

#include "vole/bench.h"

#include <cstdint>

#include "vole/chan.h"
#include "vole/context.h"
#include "vole/errgroup.h"
#include "vole/errors.h"
#include "vole/internal/atomic.h"

using namespace vole;

namespace {

constinit errors::sentinel const failed{"failed"};

void report_check(bench::benchmark& b, std::int64_t sum) {
  b.report_metric(static_cast<double>(sum) / static_cast<double>(b.n), "check/op");
}

VOLE_BENCH(errgroup) {
  b.run("all_well", [](bench::benchmark& b) {
    internal::atomic<std::int64_t> ran{0};
    while (b.loop()) {
      errgroup::group g(context::background());
      for (int i = 0; i < 10; ++i) {
        g.go([&]() -> error {
          ran.fetch_add(1);
          return nullptr;
        });
      }
      if (error const err = g.wait()) return b.fatal("{}", err.message());
    }
    report_check(b, ran.load());
  });
  b.run("limit", [](bench::benchmark& b) {
    internal::atomic<std::int64_t> ran{0};
    while (b.loop()) {
      errgroup::group g(context::background());
      g.set_limit(8);
      for (int i = 0; i < 100; ++i) {
        g.go([&]() -> error {
          ran.fetch_add(1);
          return nullptr;
        });
      }
      if (error const err = g.wait()) return b.fatal("{}", err.message());
    }
    report_check(b, ran.load());
  });
  b.run("first_error", [](bench::benchmark& b) {
    internal::atomic<std::int64_t> ended{0};
    while (b.loop()) {
      errgroup::group g(context::background());
      for (int i = 0; i < 9; ++i) {
        g.go([&](context const& ctx) -> error {
          ctx.done().recv();
          ended.fetch_add(1);
          return ctx.err();
        });
      }
      g.go([]() -> error { return failed; });
      if (errors::is(g.wait(), failed)) ended.fetch_add(1);
    }
    report_check(b, ended.load());
  });
}

}  // namespace
