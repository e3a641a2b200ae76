// SPDX-License-Identifier: Apache-2.0
// A call by way of a singleflight group. alone: one caller at a time; leaving: the same, under a
// context that could end the caller's wait; shared: eight goroutines always want the same key.

#include "vole/bench.h"

#include <cstdint>
#include <memory>
#include <string>

#include "vole/context.h"
#include "vole/runtime.h"
#include "vole/singleflight.h"
#include "vole/sync.h"

using namespace vole;

namespace {

struct quote {
  std::int64_t price;
};
using loads = singleflight::group<std::string, std::shared_ptr<quote const>>;

std::shared_ptr<quote const> load(context const&) {
  return std::make_shared<quote const>(quote{1});
}

void call_one_at_a_time(bench::benchmark& b, context const& ctx) {
  loads group;
  std::string const key = "AAPL";
  std::int64_t sum = 0;
  while (b.loop()) {
    auto const got = group.run(ctx, key, load);
    if (!got) return b.fatal("{}", got.error().message());
    sum += (*got)->price;
  }
  b.report_metric(static_cast<double>(sum) / static_cast<double>(b.n), "check/op");
}

void call_together(bench::benchmark& b) {
  constexpr int goroutines = 8;
  loads group;
  std::string const key = "AAPL";
  context const ctx = context::background();
  std::int64_t sums[goroutines] = {};
  sync::wait_group all;
  for (int g = 0; g < goroutines; ++g) {
    all.go([&, g, share = b.n / goroutines + (g < b.n % goroutines ? 1 : 0)] {
      std::int64_t own = 0;
      for (std::int64_t i = 0; i < share; ++i) {
        auto const got = group.run(ctx, key, [](context const& flight) {
          runtime::yield();  // the others come meanwhile
          return load(flight);
        });
        own += (*got)->price;
      }
      sums[g] = own;
    });
  }
  all.wait();
  std::int64_t sum = 0;
  for (std::int64_t const own : sums) sum += own;
  b.report_metric(static_cast<double>(sum) / static_cast<double>(b.n), "check/op");
}

VOLE_BENCH(singleflight) {
  b.run("alone", [](bench::benchmark& b) { call_one_at_a_time(b, context::background()); });
  b.run("leaving", [](bench::benchmark& b) {
    auto const [ctx, cancel] = context::with_cancel(context::background());
    call_one_at_a_time(b, ctx);
  });
  b.run("shared", call_together);
}

}  // namespace
