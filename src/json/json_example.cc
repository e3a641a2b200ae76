// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <fmt/core.h>
#include <map>
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

// A type of one's own that is a string in JSON.
struct user_id {
  std::string text;
};
constexpr auto describe(user_id const*) {
  return json::text<user_id>([](user_id const& id) { return id.text; },
                             [](std::string_view text) -> result<user_id> {
                               if (!text.starts_with("usr_")) {
                                 return errors::make("a user id begins with usr_");
                               }
                               return user_id{std::string(text)};
                             });
}

struct settings {
  user_id owner;
  int rows_per_page = 50;  // what it is when the text says nothing
  std::map<std::string, bool> features{{"charts", true}};
};
constexpr auto describe(settings const*) {
  return json::object(json::field("owner", &settings::owner),
                      json::optional_field("rows_per_page", &settings::rows_per_page),
                      json::optional_field("features", &settings::features));
}

template <class T>
void refuse(std::string_view text) {
  result<T> const decoded = json::decode<T>(text);
  auto const* why = errors::as<json::json_error>(decoded.error());
  fmt::print("{} | {}\n", why->path, decoded.error());
}

int main() {
  auto const b = json::decode<basket>(
      R"({"items": [{"symbol": "AAPL", "side": "sell", "qty_micro": 1500000}]})");
  fmt::print("{}\n", json::encode(*b));

  refuse<basket>(R"({"items": [{"symbol": "AAPL", "side": "sell", "qty_micro": 1.5}]})");
  refuse<basket>(R"({"items": [{"symbol": "AAPL", "side": "hold", "qty_micro": 1}]})");
  refuse<basket>(R"({"items": [{"symbol": "AAPL", "side": "buy", "qty": 1}]})");
  refuse<basket>(R"({"items": [{"symbol": "AAPL", "side": "buy"}]})");

  fmt::print("{}\n", json::encode(*json::decode<settings>(R"({"owner": "usr_1"})")));
  fmt::print(
      "{}\n",
      json::encode(*json::decode<settings>(R"({"owner": "usr_1", "features": {"beta": true}})")));
  refuse<settings>(R"({"owner": "bob"})");
  refuse<settings>(R"({"owner": "usr_1", "features": {"beta": true, "beta": false}})");

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
// {"owner":"usr_1","rows_per_page":50,"features":{"charts":true}}
// {"owner":"usr_1","rows_per_page":50,"features":{"beta":true}}
// owner | owner: a user id begins with usr_ (at byte 14)
// features.beta | features.beta: appears twice (at byte 51)
// {"symbol":"AAPL","price_minor":18912}
