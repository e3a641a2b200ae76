// SPDX-License-Identifier: Apache-2.0
// store: folio's data in SQL, the same on SQLite and PostgreSQL: users, the double-entry ledger,
// orders, prices.
//
// INVARIANTS (kept by the statements below and by the schema's checks)
//   The entries of each transfer sum to zero per unit; an account's balance is the sum of its
//   entries.
//   A user's account holds balance - reserved >= 0; reserved is the sum over the user's open
//   orders.
//   What an answer with a 2xx status reports was committed, durably, before the answer began.
//   An idempotency key's effect and its stored answer are committed together, or not at all. A
//   refusal has no effect: what led to it is rolled back, and its answer stored then.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vole/context.h"
#include "vole/result.h"
#include "vole/service/problem.h"
#include "vole/sql.h"

#include "model.h"

namespace folio {

using vole::context;
using vole::error;
using vole::result;

// What a request with an Idempotency-Key is answered, now and at every repetition, byte for byte.
struct answer {
  int status = 200;
  std::string content_type = "application/json";
  std::string body = {};
  bool again = false;  // a repetition of what an earlier request was answered
};

// An Idempotency-Key and what identifies the request that it came with.
struct idempotency {
  std::string key;
  std::string request_hash;
};

// A refusal (a problem with a status from 400 to 499) is an outcome, not a failure: it is stored
// under the key like any other answer. refuse_fn makes the answer of it.
using refuse_fn = std::function<answer(vole::service::problem const& shown, error const& why)>;

struct holding {
  std::string unit;  // USD, or a symbol
  std::int64_t balance = 0;
  std::int64_t reserved = 0;
};

class store {
 public:
  explicit store(vole::sql::db db) : db_(std::move(db)) {}

  // Errors: 409 user_exists when the id or the email is taken.
  result<user> create_user(context const& ctx, user_request const& wanted);

  // find_answer is what the key was answered; nothing: it never was. Errors: 422
  // idempotency_key_reused.
  result<std::optional<answer>> find_answer(context const& ctx, idempotency const& idem);

  // deposit books bank -> user. Refused, under its key: user_not_found, balance_limit.
  // Errors: 422 idempotency_key_reused.
  result<answer> deposit(context const& ctx, idempotency const& idem, std::string const& user_id,
                         deposit_request const& wanted, refuse_fn const& refuse);

  // place_order fills at the last price saved when the order's type and limit allow it, else
  // reserves and leaves it open: 202. A price that is saved meanwhile may reach it: market::placed.
  // Refused, under its key: user_not_found, unknown_symbol, insufficient_funds,
  // insufficient_shares, balance_limit, out_of_range. Errors: as deposit's.
  result<answer> place_order(context const& ctx, idempotency const& idem,
                             order_request const& wanted, refuse_fn const& refuse);

  result<order> find_order(context const& ctx, std::string const& id);
  // Errors: 404 order_not_found; 409 order_filled. An order that is cancelled already is returned
  // as it is.
  result<order> cancel_order(context const& ctx, std::string const& id);
  // holdings of a user in order of unit. Errors: 404 user_not_found.
  result<std::vector<holding>> holdings(context const& ctx, std::string const& user_id);

  struct fills {
    std::size_t filled = 0;
    std::vector<error> given_up;  // of orders that could not be filled and have been cancelled
    std::vector<error> failed;    // of orders that are open still
  };
  // fill_crossing fills the open orders that this price reaches, oldest first. One that cannot be
  // filled does not stop the others. Errors: those that would meet every order: the database is
  // away, ctx has ended.
  result<fills> fill_crossing(context const& ctx, price const& at);

  struct feed_state {
    std::optional<std::int64_t> step;  // none: the feed has never run on this database
    std::vector<price> prices;
  };
  result<feed_state> load_feed(context const& ctx);
  // save_step saves the prices of the step after `last` (-1: there was none). False: the feed does
  // not stand there any more: another process has moved it on, and nothing was saved.
  result<bool> save_step(context const& ctx, std::int64_t last, std::vector<price> const& prices);

  vole::sql::db& db() noexcept { return db_; }

 private:
  struct cancelled {
    order now;
    bool changed = false;  // it was open until this call
  };
  result<cancelled> cancel_if_open(context const& ctx, std::string const& id);
  // fill_or_give_up fills an order, or cancels one that never can be filled, and notes which in
  // done.
  error fill_or_give_up(context const& ctx, std::string const& id, std::int64_t price, fills& done);
  // fill_order: false when it is open no more.
  result<bool> fill_order(context const& ctx, std::string const& id, std::int64_t price);

  vole::sql::db db_;
};

}  // namespace folio
