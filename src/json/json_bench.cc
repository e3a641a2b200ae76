// SPDX-License-Identifier: Apache-2.0
// JSON by itself; bench/ holds the ones that are compared with Go.
#include <cstdint>
#include <fmt/core.h>
#include <string>
#include <vector>

#include "vole/bench.h"
#include "vole/json.h"

namespace bench_json {

using namespace vole;

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
struct price_list {
  std::vector<price> prices;
};
constexpr auto describe(price_list const*) {
  return json::object(json::field("prices", &price_list::prices));
}

price_list make_prices(int count) {
  price_list list;
  for (int i = 0; i < count; ++i) {
    list.prices.push_back({fmt::format("SYM{}", i), 10'000 + i, "2026-01-02T03:04:05Z"});
  }
  return list;
}

VOLE_BENCH(encode_500_prices) {
  price_list const list = make_prices(500);
  std::string text;
  while (b.loop()) {
    text.clear();
    json::append(text, list);
  }
  b.set_bytes(static_cast<std::int64_t>(text.size()));
}

VOLE_BENCH(decode_500_prices) {
  std::string const text = json::encode(make_prices(500));
  std::int64_t decoded = 0;
  while (b.loop())
    decoded += static_cast<std::int64_t>(json::decode<price_list>(text)->prices.size());
  b.set_bytes(static_cast<std::int64_t>(text.size()));
  b.report_metric(static_cast<double>(decoded) / static_cast<double>(b.n), "check/op");
}

VOLE_BENCH(refuse_unknown_field) {
  std::string_view const text = R"({"symbol":"AAPL","price":1})";
  std::int64_t refused = 0;
  while (b.loop()) refused += json::decode<price>(text) ? 0 : 1;
  b.report_metric(static_cast<double>(refused) / static_cast<double>(b.n), "check/op");
}

VOLE_BENCH(writer_price) {
  std::string text;
  while (b.loop()) {
    text.clear();
    json::writer(text)
        .begin_object()
        .field("symbol", "AAPL")
        .field("price_minor", 18'912)
        .end_object();
  }
  b.set_bytes(static_cast<std::int64_t>(text.size()));
}

}  // namespace bench_json
