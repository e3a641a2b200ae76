// SPDX-License-Identifier: Apache-2.0
#include "api.h"

#include <algorithm>
#include <mutex>
#include <openssl/evp.h>

#include "vole/attr.h"
#include "vole/defer.h"
#include "vole/errgroup.h"
#include "vole/http/sse.h"
#include "vole/select.h"
#include "vole/service/problem.h"
#include "vole/service/request.h"
#include "vole/time.h"

#include "ledger.h"
#include "money.h"

namespace folio {
namespace {

using vole::service::fail;
using vole::service::fail_field;

constexpr std::string_view json_type = "application/json";
constexpr vole::duration heartbeat = std::chrono::seconds(15);

std::string sha256_hex(std::string_view a, std::string_view b, std::string_view c) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_MD_CTX* const hash = EVP_MD_CTX_new();
  bool const done =
      EVP_DigestInit_ex(hash, EVP_sha256(), nullptr) == 1 &&
      EVP_DigestUpdate(hash, a.data(), a.size()) == 1 && EVP_DigestUpdate(hash, " ", 1) == 1 &&
      EVP_DigestUpdate(hash, b.data(), b.size()) == 1 && EVP_DigestUpdate(hash, "\n", 1) == 1 &&
      EVP_DigestUpdate(hash, c.data(), c.size()) == 1 &&
      EVP_DigestFinal_ex(hash, digest, &size) == 1;
  EVP_MD_CTX_free(hash);
  VOLE_ASSERT(done, "OpenSSL cannot compute a SHA-256");
  std::string hex;
  for (unsigned int i = 0; i < size; ++i) hex += fmt::format("{:02x}", digest[i]);
  return hex;
}

error require_id(std::string_view field, std::string_view id) {
  if (valid_id(id)) return {};
  return fail_field(field, "invalid_field", "{} must be 1 to 64 of A-Z a-z 0-9 _ -", field);
}

error require_user_id(std::string_view field, std::string_view id) {
  VOLE_TRY(require_id(field, id), "check {}", field);
  if (!ledger::is_house(id)) return {};
  return fail_field(field, "invalid_field", "{} is the ledger's own name", id);
}

error require_email(std::string_view email) {
  auto const at = email.find('@');
  bool const shaped = at != std::string_view::npos && at > 0 && at + 1 < email.size() &&
                      email.size() <= 254 && email.find('@', at + 1) == std::string_view::npos;
  bool const printable = std::ranges::all_of(
      email, [](char c) { return static_cast<unsigned char>(c) > ' ' && c != 0x7f; });
  if (shaped && printable) return {};
  return fail_field("email", "invalid_field", "email must look like name@host");
}

error require_amount(std::string_view field, std::int64_t amount) {
  if (amount >= 1 && amount <= amount_minor_max) return {};
  return fail_field(field, "out_of_range", "{} must be from 1 to {}", field, amount_minor_max);
}

error check(order_request const& o) {
  VOLE_TRY(require_user_id("user_id", o.user_id), "check order");
  VOLE_TRY(require_id("symbol", o.symbol), "check order");
  VOLE_TRY(require_amount("qty_micro", o.qty_micro), "check order");
  if (o.type == order_type::limit) {
    if (!o.limit_minor)
      return fail_field("limit_minor", "missing_field", "a limit order needs limit_minor");
    VOLE_TRY(require_amount("limit_minor", *o.limit_minor), "check order");
  } else if (o.limit_minor) {
    return fail_field("limit_minor", "invalid_field", "a market order has no limit_minor");
  }
  return {};
}

// within is ctx under a time limit; 0: none.
std::pair<context, vole::cancel_handle> within(context const& ctx, vole::duration limit) {
  return limit == vole::duration::zero() ? context::with_cancel(ctx)
                                         : context::with_timeout(ctx, limit);
}

// stored_problem is a refusal as it was stored under its key.
struct stored_problem {
  std::string type;
  std::string title;
  int status = 0;
  std::optional<std::string> detail;
  std::string code;
  std::optional<std::string> field;
  std::optional<std::string> request_id;
  std::optional<std::string> trace_id;
};
constexpr auto describe(stored_problem const*) {
  return json::object(
      json::field("type", &stored_problem::type), json::field("title", &stored_problem::title),
      json::field("status", &stored_problem::status),
      json::field("detail", &stored_problem::detail), json::field("code", &stored_problem::code),
      json::field("field", &stored_problem::field),
      json::field("request_id", &stored_problem::request_id),
      json::field("trace_id", &stored_problem::trace_id));
}

// send_answer sends what the store keeps under a key; a refusal that is repeated is noted for the
// log as the first one was.
void send_answer(http::response_writer& res, http::request& req, answer const& given) {
  if (given.again && given.status >= 400) {
    auto const kept = json::decode<stored_problem>(given.body);
    vole::service::set_error(
        req, kept ? fail(kept->status, kept->code, "{} (repeated; first answered to request {})",
                         kept->detail.value_or(""), kept->request_id.value_or("unknown"))
                  : vole::errors::wrap(kept.error(), "read a refusal that was stored"));
  }
  http::reply(res, given.status, given.body, given.content_type);
}

template <class T>
void send_json(http::response_writer& res, int status, T const& body) {
  http::reply(res, status, json::encode(body), json_type);
}

}  // namespace

vole::service::problem problem_of(error const& err) {
  bool const told = vole::errors::as<vole::service::problem_error>(err) != nullptr;
  if (told || !vole::sql::unavailable(err)) return vole::service::to_problem(err);
  return {.status = http::status::service_unavailable,
          .code = "database_unavailable",
          .detail = "the database cannot be reached; try again",
          .retry_after = std::chrono::seconds(1)};
}

api::api(store& store, price_hub& hub, market& market, context serving, api_options options)
    : store_(store), hub_(hub), market_(market), serving_(std::move(serving)), options_(options) {}

void api::add_routes(http::mux& to) {
  auto const route = [&](std::string_view pattern,
                         error (api::*method)(http::response_writer&, http::request&)) {
    to.handle(pattern, vole::service::handler(
                           [this, method](http::response_writer& res, http::request& req) {
                             return (this->*method)(res, req);
                           },
                           &problem_of));
  };
  route("POST /v1/users", &api::post_user);
  route("POST /v1/users/{id}/deposits", &api::post_deposit);
  route("GET /v1/users/{id}/portfolio", &api::get_portfolio);
  route("POST /v1/orders", &api::post_order);
  route("GET /v1/orders/{id}", &api::get_order);
  route("DELETE /v1/orders/{id}", &api::delete_order);
  route("GET /v1/prices", &api::get_prices);
  route("GET /v1/prices/stream", &api::stream_prices);
}

error api::post_user(http::response_writer& res, http::request& req) {
  std::string_view const body = VOLE_TRY(req.read_body(), "create user");
  auto const wanted = VOLE_TRY(json::decode<user_request>(body), "create user");
  if (wanted.id) VOLE_TRY(require_user_id("id", *wanted.id), "create user");
  VOLE_TRY(require_email(wanted.email), "create user");
  auto const [ctx, cancel] = within(req.ctx(), options_.request_timeout);
  user const made = VOLE_TRY(store_.create_user(ctx, wanted), "create user");
  send_json(res, http::status::created, made);
  return {};
}

error api::once_per_key(http::response_writer& res, http::request& req, std::string_view body,
                        work const& run) {
  std::string const key(req.header().get("Idempotency-Key"));
  bool const printable =
      std::all_of(key.begin(), key.end(), [](char c) { return c > ' ' && c < 0x7f; });
  if (key.empty())
    return fail(400, "idempotency_key_required", "the header Idempotency-Key is missing");
  if (key.size() > 255 || !printable) {
    return fail(400, "invalid_idempotency_key",
                "Idempotency-Key must be 1 to 255 printable ASCII characters");
  }
  idempotency const idem{key, sha256_hex(req.method(), req.target(), body)};
  auto const [ctx, cancel] = within(req.ctx(), options_.request_timeout);
  if (!begin_work(key)) {
    // Which may be the repetition of one that was answered long ago.
    auto const earlier = VOLE_TRY(store_.find_answer(ctx, idem), "under its idempotency key");
    if (earlier) return send_answer(res, req, *earlier), error();
    return fail(409, "request_in_flight", "a request with this Idempotency-Key is being worked on");
  }
  vole::defer done = [&] {
    std::lock_guard const lock(in_flight_mu_);
    in_flight_.erase(key);
  };
  // Stored, so that it repeats byte for byte: with the ids of the request that was refused first.
  auto const refused = [&req](vole::service::problem const& shown, error const& why) -> answer {
    vole::service::set_error(req, why);
    return {.status = shown.status,
            .content_type = "application/problem+json",
            .body = vole::service::to_json(shown, req.ctx())};
  };
  answer const given = VOLE_TRY(run(ctx, idem, refused), "under its idempotency key");
  send_answer(res, req, given);
  return {};
}

// begin_work: false when a request with the key is being worked on.
bool api::begin_work(std::string const& key) {
  std::lock_guard const lock(in_flight_mu_);
  return in_flight_.insert(key).second;
}

error api::post_deposit(http::response_writer& res, http::request& req) {
  std::string const id(req.path_value("id"));
  VOLE_TRY(require_id("id", id), "deposit");
  std::string_view const body = VOLE_TRY(req.read_body(), "deposit for user {}", id);
  auto const wanted = VOLE_TRY(json::decode<deposit_request>(body), "deposit for user {}", id);
  VOLE_TRY(require_amount("amount_minor", wanted.amount_minor), "deposit for user {}", id);
  if (wanted.currency != usd) {
    return fail_field("currency", "unknown_currency", "currency must be USD");
  }
  VOLE_TRY(once_per_key(res, req, body,
                        [&](context const& ctx, idempotency const& idem, refuse_fn const& refuse) {
                          return store_.deposit(ctx, idem, id, wanted, refuse);
                        }),
           "deposit for user {}", id);
  return {};
}

error api::post_order(http::response_writer& res, http::request& req) {
  std::string_view const body = VOLE_TRY(req.read_body(), "place order");
  auto const wanted = VOLE_TRY(json::decode<order_request>(body), "place order");
  VOLE_TRY(check(wanted), "place order");
  VOLE_TRY(once_per_key(res, req, body,
                        [&](context const& ctx, idempotency const& idem, refuse_fn const& refuse) {
                          auto given = store_.place_order(ctx, idem, wanted, refuse);
                          if (given && !given->again && given->status == http::status::accepted)
                            market_.placed(ctx, wanted.symbol);
                          return given;
                        }),
           "place order for user {}", wanted.user_id);
  return {};
}

error api::get_order(http::response_writer& res, http::request& req) {
  std::string const id(req.path_value("id"));
  VOLE_TRY(require_id("id", id), "get order");
  auto const [ctx, cancel] = within(req.ctx(), options_.request_timeout);
  order const found = VOLE_TRY(store_.find_order(ctx, id), "get order");
  send_json(res, http::status::ok, found);
  return {};
}

error api::delete_order(http::response_writer& res, http::request& req) {
  std::string const id(req.path_value("id"));
  VOLE_TRY(require_id("id", id), "cancel order");
  auto const [ctx, cancel] = within(req.ctx(), options_.request_timeout);
  order const cancelled = VOLE_TRY(store_.cancel_order(ctx, id), "delete order");
  send_json(res, http::status::ok, cancelled);
  return {};
}

error api::get_portfolio(http::response_writer& res, http::request& req) {
  std::string const id(req.path_value("id"));
  VOLE_TRY(require_id("id", id), "load portfolio");
  auto const [ctx, cancel] = within(req.ctx(), options_.read_timeout);
  auto const held = VOLE_TRY(store_.holdings(ctx, id), "load portfolio for user {}", id);
  portfolio const valued =
      VOLE_TRY(value_holdings(ctx, id, held), "load portfolio for user {}", id);
  send_json(res, http::status::ok, valued);
  return {};
}

result<portfolio> api::value_holdings(context const& ctx, std::string const& user_id,
                                      std::vector<holding> const& held) {
  portfolio p{
      .user_id = user_id, .cash = {}, .positions = {}, .total_minor = 0, .as_of = timestamp()};
  for (holding const& h : held) {
    if (h.unit == usd) {
      p.cash.push_back({h.unit, h.balance, h.reserved});
      p.total_minor += h.balance;
    } else if (h.balance != 0) {
      p.positions.push_back({h.unit, h.balance, 0, 0});
    }
  }
  vole::errgroup::group valuing(ctx);
  for (position& at : p.positions) {
    valuing.go([this, &at]() -> error {
      std::optional<price> const last = hub_.find(at.symbol);
      if (!last) return vole::errors::make("there is no price for {}", at.symbol);
      auto const value = cost_of(at.qty_micro, last->price_minor);
      if (!value) {
        // The words are for whoever reads the line, the attributes for whoever searches for it.
        return vole::errors::with_attrs(
            vole::errors::make("the value of {} {} overflows", at.qty_micro, at.symbol),
            {{"symbol", at.symbol},
             {"qty_micro", at.qty_micro},
             {"price_minor", last->price_minor}});
      }
      at.price_minor = last->price_minor;
      at.value_minor = *value;
      return {};
    });
  }
  VOLE_TRY(valuing.wait(), "value the positions");
  for (position const& at : p.positions) {
    if (__builtin_add_overflow(p.total_minor, at.value_minor, &p.total_minor)) {
      return vole::errors::make("the total overflows");
    }
  }
  return p;
}

result<std::vector<std::string>> api::asked_symbols(http::request& req) const {
  auto const given = req.url().query_all("symbols");
  if (!given) return fail_field("symbols", "invalid_field", "{}", given.error());
  std::string all;
  for (std::string const& list : *given) {
    if (!all.empty() && !list.empty()) all += ',';
    all += list;
  }
  std::vector<std::string> symbols;
  for (std::string_view rest = all; !rest.empty();) {
    auto const comma = rest.find(',');
    std::string_view const symbol = rest.substr(0, comma);
    VOLE_TRY(require_id("symbols", symbol), "read symbols");
    // Known from its first price on, as for orders.
    if (!hub_.find(symbol)) return fail(404, "unknown_symbol", "there is no price for {}", symbol);
    symbols.emplace_back(symbol);
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
    if (rest.empty()) return fail_field("symbols", "invalid_field", "symbols ends with a comma");
  }
  return symbols;
}

error api::get_prices(http::response_writer& res, http::request& req) {
  auto const symbols = VOLE_TRY(asked_symbols(req), "get prices");
  price_list list;
  if (symbols.empty()) {
    list.prices = hub_.all();
  } else {
    for (std::string const& symbol : symbols) {
      if (auto found = hub_.find(symbol)) list.prices.push_back(*std::move(found));
    }
  }
  send_json(res, http::status::ok, list);
  return {};
}

error api::stream_prices(http::response_writer& res, http::request& req) {
  auto symbols = VOLE_TRY(asked_symbols(req), "stream prices");
  price_hub::subscription const subscription(hub_, std::move(symbols));
  // Ends with the client and with the serving, also while the client takes nothing.
  auto const [ctx, cancel] = context::merge(req.ctx(), serving_.get());
  http::sse stream(ctx, res);
  vole::time::ticker const beat(heartbeat);
  auto const over = ctx.done();
  while (true) {
    price p;
    error err;
    switch (select(recv(subscription.prices(), &p), recv(beat.c()), recv(over))) {
      case 0:
        err = stream.send(ctx, {.data = json::encode(p), .name = "price"});
        break;
      case 1:
        err = stream.comment(ctx, "alive");
        break;
      default:
        return {};
    }
    if (err)
      return {};  // the client has gone: nothing is left to answer, and nothing went wrong here
  }
}

}  // namespace folio
