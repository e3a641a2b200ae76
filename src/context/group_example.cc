// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "vole/errgroup.h"
#include "vole/go.h"
#include "vole/result.h"
#include "vole/singleflight.h"
#include "vole/task.h"
#include "vole/time.h"

using namespace vole;
using namespace std::chrono_literals;

result<std::int64_t> load_price(context const& ctx, std::string const& symbol) {
  VOLE_TRY(time::sleep(ctx, 1ms), "ask the exchange for {}", symbol);
  if (symbol == "????") return errors::make("no such symbol: {}", symbol);
  return static_cast<std::int64_t>(symbol.size()) * 100;
}

// All at once, at most eight at a time; the first error cancels the rest and is the answer.
result<std::int64_t> total(context const& ctx, std::vector<std::string> const& symbols) {
  std::vector<std::int64_t> prices(symbols.size());
  errgroup::group g(ctx);
  g.set_limit(8);
  for (std::size_t i = 0; i < symbols.size(); ++i) {
    g.go([&, i](context const& ctx) -> error {
      prices[i] = VOLE_TRY(load_price(ctx, symbols[i]), "price {}", symbols[i]);
      return nullptr;
    });
  }
  VOLE_TRY(g.wait(), "load the prices");
  return std::accumulate(prices.begin(), prices.end(), std::int64_t{0});
}

// A task is a goroutine whose result one gets; a scope waits for its goroutines, so they may use
// locals.
error report(context const& ctx) {
  std::vector<std::string> const symbols = {"AAPL", "MSFT"};
  scope s(ctx);
  task<std::int64_t> sum = s.spawn([&](context const& ctx) { return total(ctx, symbols); });
  task<std::int64_t> wrong =
      s.spawn([](context const& ctx) { return total(ctx, {"AAPL", "????"}); });
  std::int64_t const added = VOLE_TRY(sum.get(ctx), "add up");
  fmt::print("total {}\n", added);
  fmt::print("{}\n", wrong.get(ctx).error());
  return nullptr;
}

// Callers that want the same thing at the same time share one call.
error shared(context const& ctx) {
  using price = std::shared_ptr<std::int64_t const>;
  singleflight::group<std::string, price> loads;
  auto const load = [&](std::string const& symbol) {
    return loads.run(ctx, symbol, [symbol](context const& ctx) -> result<price> {
      std::int64_t const loaded = VOLE_TRY(load_price(ctx, symbol), "price {}", symbol);
      return std::make_shared<std::int64_t const>(loaded);
    });
  };
  price const p = VOLE_TRY(load("AAPL"), "load");
  fmt::print("price {}\n", *p);
  return nullptr;
}

int main() {
  return run([] {
    context const ctx = context::background();
    for (auto const example : {&report, &shared}) {
      if (error const err = example(ctx)) fmt::print("{}\n", err);
    }
  });
}

// Output:
// total 800
// load the prices: price ????: no such symbol: ????
// price 400
