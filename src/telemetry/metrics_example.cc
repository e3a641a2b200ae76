// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include "vole/metrics.h"

using namespace vole;

int main() {
  // [metrics]
  metrics::registry registry;
  auto orders = registry.counter("folio_orders_total", "Orders accepted.", {"side", "state"});
  auto waiting = registry.gauge("folio_open_orders", "Limit orders waiting for their price.");
  double const bounds[] = {0.01, 0.1, 1};
  auto took = registry.histogram("folio_fill_seconds", "From order to fill.", bounds);

  auto buys = orders.with({"buy", "filled"});  // keep the handle where you can
  buys.add();
  buys.add();
  orders.with({"sell", "open"}).add();
  waiting.set(1);
  took.observe(0.02);
  took.observe(0.5);

  fmt::print("{}", registry.text());
  // [metrics]
}

// Output:
// # HELP folio_fill_seconds From order to fill.
// # TYPE folio_fill_seconds histogram
// folio_fill_seconds_bucket{le="0.01"} 0
// folio_fill_seconds_bucket{le="0.1"} 1
// folio_fill_seconds_bucket{le="1"} 2
// folio_fill_seconds_bucket{le="+Inf"} 2
// folio_fill_seconds_sum 0.52
// folio_fill_seconds_count 2
// # HELP folio_open_orders Limit orders waiting for their price.
// # TYPE folio_open_orders gauge
// folio_open_orders 1
// # HELP folio_orders_total Orders accepted.
// # TYPE folio_orders_total counter
// folio_orders_total{side="buy",state="filled"} 2
// folio_orders_total{side="sell",state="open"} 1
