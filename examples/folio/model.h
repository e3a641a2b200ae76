// SPDX-License-Identifier: Apache-2.0
// model: what folio's clients send and get, field by field; each struct is described for
// vole/json.h beside it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vole/json.h"

namespace folio {

namespace json = vole::json;

inline constexpr std::string_view usd = "USD";

struct user_request {
  std::optional<std::string> id;
  std::string email;
};
constexpr auto describe(user_request const*) {
  return json::object(json::field("id", &user_request::id),
                      json::field("email", &user_request::email));
}

struct user {
  std::string id;
  std::string email;
  std::string created_at;  // RFC 3339
};
constexpr auto describe(user const*) {
  return json::object(json::field("id", &user::id), json::field("email", &user::email),
                      json::field("created_at", &user::created_at));
}

struct deposit_request {
  std::int64_t amount_minor = 0;
  std::string currency;
};
constexpr auto describe(deposit_request const*) {
  return json::object(json::field("amount_minor", &deposit_request::amount_minor),
                      json::field("currency", &deposit_request::currency));
}

struct deposit {
  std::string transfer_id;
  std::int64_t balance_minor = 0;
  std::string currency;
};
constexpr auto describe(deposit const*) {
  return json::object(json::field("transfer_id", &deposit::transfer_id),
                      json::field("balance_minor", &deposit::balance_minor),
                      json::field("currency", &deposit::currency));
}

enum class order_side : std::uint8_t { buy, sell };
constexpr auto describe(order_side const*) {
  return json::names(json::name("buy", order_side::buy), json::name("sell", order_side::sell));
}
enum class order_type : std::uint8_t { market, limit };
constexpr auto describe(order_type const*) {
  return json::names(json::name("market", order_type::market),
                     json::name("limit", order_type::limit));
}
enum class order_state : std::uint8_t { open, filled, cancelled };
constexpr auto describe(order_state const*) {
  return json::names(json::name("open", order_state::open),
                     json::name("filled", order_state::filled),
                     json::name("cancelled", order_state::cancelled));
}

struct order_request {
  std::string user_id;
  std::string symbol;
  order_side side = order_side::buy;
  order_type type = order_type::market;
  std::int64_t qty_micro = 0;
  std::optional<std::int64_t> limit_minor;
};
constexpr auto describe(order_request const*) {
  return json::object(json::field("user_id", &order_request::user_id),
                      json::field("symbol", &order_request::symbol),
                      json::field("side", &order_request::side),
                      json::field("type", &order_request::type),
                      json::field("qty_micro", &order_request::qty_micro),
                      json::field("limit_minor", &order_request::limit_minor));
}

struct order {
  std::string id;
  std::string user_id;
  std::string symbol;
  order_side side = order_side::buy;
  order_type type = order_type::market;
  order_state state = order_state::open;
  std::int64_t qty_micro = 0;
  std::int64_t filled_micro = 0;
  std::optional<std::int64_t> fill_price_minor;
  std::optional<std::int64_t> limit_minor;
  std::string created_at;
};
constexpr auto describe(order const*) {
  return json::object(json::field("id", &order::id), json::field("user_id", &order::user_id),
                      json::field("symbol", &order::symbol), json::field("side", &order::side),
                      json::field("type", &order::type), json::field("state", &order::state),
                      json::field("qty_micro", &order::qty_micro),
                      json::field("filled_micro", &order::filled_micro),
                      json::field("fill_price_minor", &order::fill_price_minor),
                      json::field("limit_minor", &order::limit_minor),
                      json::field("created_at", &order::created_at));
}

struct cash {
  std::string currency;
  std::int64_t balance_minor = 0;
  std::int64_t reserved_minor = 0;
};
constexpr auto describe(cash const*) {
  return json::object(json::field("currency", &cash::currency),
                      json::field("balance_minor", &cash::balance_minor),
                      json::field("reserved_minor", &cash::reserved_minor));
}

struct position {
  std::string symbol;
  std::int64_t qty_micro = 0;
  std::int64_t price_minor = 0;
  std::int64_t value_minor = 0;
};
constexpr auto describe(position const*) {
  return json::object(json::field("symbol", &position::symbol),
                      json::field("qty_micro", &position::qty_micro),
                      json::field("price_minor", &position::price_minor),
                      json::field("value_minor", &position::value_minor));
}

struct portfolio {
  std::string user_id;
  std::vector<folio::cash> cash;
  std::vector<position> positions;
  std::int64_t total_minor = 0;
  std::string as_of;
};
constexpr auto describe(portfolio const*) {
  return json::object(
      json::field("user_id", &portfolio::user_id), json::field("cash", &portfolio::cash),
      json::field("positions", &portfolio::positions),
      json::field("total_minor", &portfolio::total_minor), json::field("as_of", &portfolio::as_of));
}

struct price {
  std::string symbol;
  std::int64_t price_minor = 0;
  std::string as_of;

  friend bool operator==(price const&, price const&) = default;
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

// An id is 1 to 64 of A-Z a-z 0-9 _ and -.
bool valid_id(std::string_view id) noexcept;

// make_id("ord") is a new unguessable id: "ord_" and 26 characters from 130 random bits.
std::string make_id(std::string_view prefix);

// timestamp is now in RFC 3339, UTC, to the millisecond: "2024-05-01T09:30:00.125Z".
std::string timestamp();

// The names that the database and the contract use.
std::string_view name_of(order_side s) noexcept;
std::string_view name_of(order_type t) noexcept;
std::string_view name_of(order_state s) noexcept;

}  // namespace folio
