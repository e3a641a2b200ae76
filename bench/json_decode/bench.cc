// SPDX-License-Identifier: Apache-2.0
// Read an order from JSON into a struct; unknown fields are refused on both sides.

#include "vole/bench.h"

#include <cstdint>
#include <optional>
#include <string>

#include "vole/json.h"

using namespace vole;

namespace bench_case {

struct order {
  std::string user_id;
  std::string symbol;
  std::string side;
  std::string type;
  std::int64_t qty_micro = 0;
  std::optional<std::int64_t> limit_minor;
};
constexpr auto describe(order const*) {
  return json::object(
      json::field("user_id", &order::user_id), json::field("symbol", &order::symbol),
      json::field("side", &order::side), json::field("type", &order::type),
      json::field("qty_micro", &order::qty_micro), json::field("limit_minor", &order::limit_minor));
}

VOLE_BENCH(json_decode) {
  std::string const text = R"({"user_id":"usr_abc123","symbol":"AAPL","side":"buy","type":"limit",)"
                           R"("qty_micro":1500000,"limit_minor":18912})";
  std::int64_t sum = 0;
  while (b.loop()) {
    auto const decoded = json::decode<order>(text);
    sum += decoded->qty_micro;
  }
  b.report_metric(static_cast<double>(sum) / static_cast<double>(b.n), "check/op");
}

}  // namespace bench_case
