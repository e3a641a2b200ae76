// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <fmt/core.h>
#include <optional>
#include <string>
#include <vector>

#include "vole/json.h"

using namespace vole;

enum class side { buy, sell };
constexpr auto describe(side const*) {
  return json::names(json::name("buy", side::buy), json::name("sell", side::sell));
}

struct order {
  std::string symbol;
  side direction = side::buy;
  std::int64_t qty_micro = 0;
  std::optional<std::int64_t> limit_minor;  // may be absent
};
constexpr auto describe(order const*) {
  return json::object(json::field("symbol", &order::symbol), json::field("side", &order::direction),
                      json::field("qty_micro", &order::qty_micro),
                      json::field("limit_minor", &order::limit_minor));
}

struct basket {
  std::vector<order> items;
};
constexpr auto describe(basket const*) {
  return json::object(json::field("items", &basket::items));
}

void refuse(std::string_view text) {
  result<basket> const b = json::decode<basket>(text);
  auto const* why = errors::as<json::json_error>(b.error());
  fmt::print("{} | {}\n", why->path, b.error());
}

int main() {
  auto const b = json::decode<basket>(
      R"({"items": [{"symbol": "AAPL", "side": "sell", "qty_micro": 1500000}]})");
  fmt::print("{}\n", json::encode(*b));

  refuse(R"({"items": [{"symbol": "AAPL", "side": "sell", "qty_micro": 1.5}]})");
  refuse(R"({"items": [{"symbol": "AAPL", "side": "hold", "qty_micro": 1}]})");
  refuse(R"({"items": [{"symbol": "AAPL", "side": "buy", "qty": 1}]})");
  refuse(R"({"items": [{"symbol": "AAPL", "side": "buy"}]})");

  std::string text;
  json::writer w(text);
  w.begin_object().field("symbol", "AAPL").field("price_minor", 18'912).end_object();
  fmt::print("{}\n", text);
}

// Output:
// {"items":[{"symbol":"AAPL","side":"sell","qty_micro":1500000}]}
// items[0].qty_micro | items[0].qty_micro: want an integer, got 1.5 (at byte 62)
// items[0].side | items[0].side: want one of "buy", "sell" (at byte 43)
// items[0].qty | items[0].qty: is unknown (at byte 49)
// items[0].qty_micro | items[0].qty_micro: is missing (at byte 43)
// {"symbol":"AAPL","price_minor":18912}
