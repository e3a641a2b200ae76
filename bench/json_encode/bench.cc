// SPDX-License-Identifier: Apache-2.0
// Write a struct of ten prices as JSON.

#include "vole/bench.h"

#include <cstdint>
#include <string>
#include <vector>

#include "vole/json.h"

using namespace vole;

namespace bench_case {

struct price {
  std::string symbol;
  std::int64_t price_minor = 0;
  std::string as_of;
};
constexpr auto describe(price const*) {
  return json::object(json::field("symbol", &price::symbol),
                      json::field("price_minor", &price::price_minor),
                      json::field("as_of", &price::as_of));
}
struct answer {
  std::vector<price> prices;
};
constexpr auto describe(answer const*) {
  return json::object(json::field("prices", &answer::prices));
}

VOLE_BENCH(json_encode) {
  answer const list{std::vector<price>(10, {"AAPL", 18'912, "2026-01-02T03:04:05Z"})};
  std::int64_t bytes = 0;
  while (b.loop()) bytes += static_cast<std::int64_t>(json::encode(list).size());
  b.report_metric(static_cast<double>(bytes) / static_cast<double>(b.n), "check/op");
}

}  // namespace bench_case
