// SPDX-License-Identifier: Apache-2.0
// api: folio's HTTP contract. Handlers return an error; service::handler answers it as problem+json
// and the request's
// one log line carries it.
//
// LOCKS  in_flight_mu_ guards in_flight_; a leaf, never held over a wait.
#pragma once

#include <functional>
#include <string>
#include <unordered_set>

#include "vole/http.h"
#include "vole/http/mux.h"
#include "vole/service/problem.h"
#include "vole/sync.h"

#include "feed.h"
#include "market.h"
#include "store.h"

namespace folio {

namespace http = vole::http;

// The longest times of a portfolio and of every other request; 0: none.
struct api_options {
  vole::duration read_timeout;
  vole::duration request_timeout;
};

// problem_of is service::to_problem, and for a database that cannot be reached 503
// "database_unavailable" with Retry-After.
vole::service::problem problem_of(error const& err);

class api {
 public:
  api(store& store, price_hub& hub, market& market, context serving, api_options options);

  // add_routes puts the contract's routes on the mux. The api must outlive it.
  void add_routes(http::mux& to);

 private:
  error post_user(http::response_writer& res, http::request& req);
  error post_deposit(http::response_writer& res, http::request& req);
  error post_order(http::response_writer& res, http::request& req);
  error get_order(http::response_writer& res, http::request& req);
  error delete_order(http::response_writer& res, http::request& req);
  error get_portfolio(http::response_writer& res, http::request& req);
  error get_prices(http::response_writer& res, http::request& req);
  error stream_prices(http::response_writer& res, http::request& req);

  using work = std::function<result<answer>(context const&, idempotency const&, refuse_fn const&)>;
  // once_per_key runs work under the request's Idempotency-Key and sends its answer. While another
  // request works under the key, what it was answered already is sent, else 409.
  error once_per_key(http::response_writer& res, http::request& req, std::string_view body,
                     work const& run);
  bool begin_work(std::string const& key);
  result<std::vector<std::string>> asked_symbols(http::request& req) const;
  result<portfolio> value_holdings(context const& ctx, std::string const& user_id,
                                   std::vector<holding> const& held);

  store& store_;
  price_hub& hub_;
  market& market_;
  context::stored serving_;  // ends when the listeners close: what the endless streams watch
  api_options options_;
  vole::sync::mutex in_flight_mu_;
  std::unordered_set<std::string> in_flight_;
};

}  // namespace folio
