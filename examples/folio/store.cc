// SPDX-License-Identifier: Apache-2.0
#include "store.h"

#include <algorithm>

#include "vole/internal/format.h"
#include "vole/sql/postgres.h"

#include "ledger.h"
#include "money.h"

namespace folio {
namespace {

using vole::service::fail;
using vole::service::fail_field;
using vole::service::fail_with;
using vole::sql::tx;

// Why an order of this user will not be filled at any price near this one.
inline constinit vole::errors::sentinel const unfillable{"it cannot be filled"};

constexpr std::string_view order_columns =
    "id, user_id, symbol, side, type, state, qty_micro, filled_micro, fill_price_minor, "
    "limit_minor, created_at";

struct stored_order {
  order shown;
  std::int64_t reserved = 0;
};

result<stored_order> read_order(vole::sql::row const& row) {
  stored_order o;
  std::string side;
  std::string type;
  std::string state;
  order& s = o.shown;
  if (error err =
          row.scan(s.id, s.user_id, s.symbol, side, type, state, s.qty_micro, s.filled_micro,
                   s.fill_price_minor, s.limit_minor, s.created_at, o.reserved)) {
    return err;
  }
  s.side = side == "buy" ? order_side::buy : order_side::sell;
  s.type = type == "market" ? order_type::market : order_type::limit;
  s.state = state == "open"     ? order_state::open
            : state == "filled" ? order_state::filled
                                : order_state::cancelled;
  return o;
}

result<stored_order> load_order(context const& ctx, vole::sql::executor& from,
                                std::string const& id) {
  auto const rows = VOLE_TRY(
      from.query(ctx, fmt::format("select {}, reserved from orders where id = $1", order_columns),
                 id),
      "read order");
  if (rows.empty()) return fail(404, "order_not_found", "there is no order {}", id);
  return read_order(rows[0]);
}

error require_user(context const& ctx, vole::sql::executor& from, std::string const& id) {
  auto const rows = VOLE_TRY(from.query(ctx, "select 1 from users where id = $1", id), "read user");
  return rows.empty() ? fail(404, "user_not_found", "there is no user {}", id) : error();
}

// A symbol is known from its first price on.
result<std::int64_t> price_of(context const& ctx, tx& tx, std::string const& symbol) {
  auto const found =
      tx.query_one<std::int64_t>(ctx, "select price_minor from prices where symbol = $1", symbol);
  if (found) return *found;
  if (!vole::errors::is(found.error(), vole::sql::no_rows)) {
    return vole::errors::wrap(found.error(), "read the price of {}", symbol);
  }
  return fail(404, "unknown_symbol", "there is no price for {}", symbol);
}

error insert_order(context const& ctx, tx& tx, stored_order const& o) {
  order const& s = o.shown;
  VOLE_TRY(
      tx.exec(
          ctx,
          fmt::format(
              "insert into orders ({}, reserved) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, "
              "$11, $12)",
              order_columns),
          s.id, s.user_id, s.symbol, name_of(s.side), name_of(s.type), name_of(s.state),
          s.qty_micro, s.filled_micro, s.fill_price_minor, s.limit_minor, s.created_at, o.reserved),
      "insert order {}", s.id);
  return {};
}

// settle moves cash and shares for a fill of the whole order at price, out of what was reserved for
// it.
// False: the user does not hold what the order takes; nothing was changed.
result<bool> settle(context const& ctx, tx& tx, stored_order const& o, std::int64_t price,
                    std::int64_t cost) {
  order const& s = o.shown;
  std::string const user_cash = ledger::account_of(s.user_id, usd);
  std::string const user_shares = ledger::account_of(s.user_id, s.symbol);
  std::string const market_cash = ledger::account_of("market", usd);
  std::string const market_shares = ledger::account_of("market", s.symbol);
  VOLE_TRY(ledger::open(ctx, tx, s.user_id, usd), "settle order {}", s.id);
  VOLE_TRY(ledger::open(ctx, tx, s.user_id, s.symbol), "settle order {}", s.id);
  VOLE_TRY(ledger::open(ctx, tx, "market", usd), "settle order {}", s.id);
  VOLE_TRY(ledger::open(ctx, tx, "market", s.symbol), "settle order {}", s.id);

  bool const buy = s.side == order_side::buy;
  std::int64_t const cash_by = buy ? -cost : cost;
  std::int64_t const shares_by = buy ? s.qty_micro : -s.qty_micro;
  // Whoever changes both takes an owner's cash first: two orders must not wait for each other.
  if (!buy) VOLE_TRY(ledger::change(ctx, tx, user_cash, 0, 0), "settle order {}", s.id);
  // What the order takes comes next: if it is not there, nothing has been changed yet.
  std::string const& taken = buy ? user_cash : user_shares;
  bool const enough =
      VOLE_TRY(ledger::change(ctx, tx, taken, buy ? cash_by : shares_by, -o.reserved),
               "settle order {}", s.id);
  if (!enough) return false;
  struct leg {
    std::string const& account;
    std::int64_t by;
  };
  for (leg const& l : {leg{buy ? user_shares : user_cash, buy ? shares_by : cash_by},
                       leg{market_cash, -cash_by}, leg{market_shares, -shares_by}}) {
    bool const taken_in =
        VOLE_TRY(ledger::change(ctx, tx, l.account, l.by, 0), "settle order {}", s.id);
    if (!taken_in) {
      return fail_with(unfillable, 409, "balance_limit", "account {} would leave its limits",
                       l.account);
    }
  }
  VOLE_TRY(ledger::record(ctx, tx, make_id("trf"), "fill", s.id,
                          {{user_cash, std::string(usd), cash_by},
                           {market_cash, std::string(usd), -cash_by},
                           {user_shares, s.symbol, shares_by},
                           {market_shares, s.symbol, -shares_by}}),
           "settle order {} at {}", s.id, price);
  return true;
}

bool crosses(order const& s, std::int64_t price) {
  if (s.type == order_type::market) return true;
  return s.side == order_side::buy ? price <= *s.limit_minor : price >= *s.limit_minor;
}

error not_enough(order const& s) {
  return s.side == order_side::buy
             ? fail(409, "insufficient_funds", "user {} has too little cash for the order",
                    s.user_id)
             : fail(409, "insufficient_shares", "user {} has too few shares of {} for the order",
                    s.user_id, s.symbol);
}

// ledger_cost is what a fill moves, in minor units. Nothing: more than the ledger takes.
std::optional<std::int64_t> ledger_cost(std::int64_t qty_micro, std::int64_t price_minor) {
  auto const cost = cost_of(qty_micro, price_minor);
  return cost && *cost <= ledger::amount_max ? cost : std::nullopt;
}

// meets_all: the error is not about one order; every other would fail by it too.
bool meets_all(context const& ctx, error const& err) {
  return ctx.err() || vole::sql::unavailable(err) || vole::errors::is(err, vole::sql::closed) ||
         vole::errors::is(err, vole::sql::outcome_unknown);
}

// for_ever: the order will not be filled at any later step either.
bool for_ever(error const& err) {
  auto const* pg = vole::errors::as<vole::postgres::pg_error>(err);
  bool const overflow = pg != nullptr && pg->code == "22003";
  return overflow || vole::errors::is(err, unfillable);
}

result<std::optional<answer>> stored_answer(context const& ctx, vole::sql::executor& from,
                                            idempotency const& idem) {
  auto const rows = VOLE_TRY(
      from.query(ctx,
                 "select request_hash, status, content_type, body from idempotency where key = $1",
                 idem.key),
      "read the answer to idempotency key");
  if (rows.empty()) return std::optional<answer>();
  answer given{.again = true};
  std::string hash;
  VOLE_TRY(rows[0].scan(hash, given.status, given.content_type, given.body),
           "read the answer to idempotency key");
  if (hash != idem.request_hash) {
    return fail(422, "idempotency_key_reused", "this Idempotency-Key was used for another request");
  }
  return std::optional<answer>(std::move(given));
}

// claim takes the key with this answer; what is returned was there before.
// On PostgreSQL a second request with the key waits here for the end of the first.
result<std::optional<answer>> claim(context const& ctx, tx& tx, idempotency const& idem,
                                    answer const& with) {
  auto const claimed = VOLE_TRY(
      tx.exec(ctx,
              "insert into idempotency (key, request_hash, status, content_type, body, created_at) "
              "values ($1, $2, $3, $4, $5, $6) on conflict (key) do nothing",
              idem.key, idem.request_hash, with.status, with.content_type, with.body, timestamp()),
      "claim idempotency key");
  if (claimed.rows_affected == 1) return std::optional<answer>();
  auto earlier = VOLE_TRY(stored_answer(ctx, tx, idem), "claim idempotency key");
  if (!earlier) return vole::errors::make("the idempotency key is taken, and not to be seen");
  return earlier;
}

// refused_by is the problem that err is for its client, if that is to blame.
std::optional<vole::service::problem> refused_by(error const& err) {
  auto const* known = vole::errors::as<vole::service::problem_error>(err);
  if (known == nullptr || known->shown.status < 400 || known->shown.status > 499) return {};
  return known->shown;
}

// once runs fn under an idempotency key: the first time it stores what fn answers, later it returns
// that. A refusal undoes what fn did, and is stored by a transaction of its own: so it costs those
// nothing that are not refused.
template <class Fn>
result<answer> once(context const& ctx, vole::sql::db& db, idempotency const& idem,
                    refuse_fn const& refuse, Fn fn) {
  std::optional<vole::service::problem> refused;
  auto given = db.write(ctx, [&](tx& tx) -> result<answer> {
    refused.reset();
    auto earlier = VOLE_TRY(claim(ctx, tx, idem, {.status = 0, .content_type = "", .body = ""}),
                            "under its idempotency key");
    if (earlier) return *std::move(earlier);
    auto made = fn(tx);
    if (!made) {
      refused = refused_by(made.error());
      return vole::errors::wrap(made.error(), "first use of the idempotency key");
    }
    VOLE_TRY(
        tx.exec(ctx,
                "update idempotency set status = $2, content_type = $3, body = $4 where key = $1",
                idem.key, made->status, made->content_type, made->body),
        "keep the answer to the idempotency key");
    return made;
  });
  if (given || !refused) return given;
  answer const told = refuse(*refused, given.error());
  return db.write(ctx, [&](tx& tx) -> result<answer> {
    auto earlier = VOLE_TRY(claim(ctx, tx, idem, told), "keep a refusal");
    return earlier ? *std::move(earlier) : told;
  });
}

}  // namespace

result<user> store::create_user(context const& ctx, user_request const& wanted) {
  user made{wanted.id ? *wanted.id : make_id("usr"), wanted.email, timestamp()};
  error const err = db_.write(ctx, [&](tx& tx) -> error {
    VOLE_TRY(tx.exec(ctx, "insert into users (id, email, created_at) values ($1, $2, $3)", made.id,
                     made.email, made.created_at),
             "insert user");
    VOLE_TRY(ledger::open(ctx, tx, made.id, usd), "open the account of user {}", made.id);
    return {};
  });
  if (vole::sql::unique_violation(err)) {
    bool const by_email = vole::sql::constraint_of(err).find("email") != std::string_view::npos;
    return vole::service::fail_with(err, 409, "user_exists", "a user with this {} exists already",
                                    by_email ? "email" : "id");
  }
  if (err) return err;
  return made;
}

result<std::optional<answer>> store::find_answer(context const& ctx, idempotency const& idem) {
  return stored_answer(ctx, db_, idem);
}

result<answer> store::deposit(context const& ctx, idempotency const& idem,
                              std::string const& user_id, deposit_request const& wanted,
                              refuse_fn const& refuse) {
  return once(ctx, db_, idem, refuse, [&](tx& tx) -> result<answer> {
    VOLE_TRY(require_user(ctx, tx, user_id), "deposit");
    VOLE_TRY(ledger::open(ctx, tx, user_id, usd), "deposit");
    VOLE_TRY(ledger::open(ctx, tx, "bank", usd), "deposit");
    std::string const to = ledger::account_of(user_id, usd);
    std::string const from = ledger::account_of("bank", usd);
    for (auto const& [account, by] :
         {std::pair{to, wanted.amount_minor}, std::pair{from, -wanted.amount_minor}}) {
      bool const done = VOLE_TRY(ledger::change(ctx, tx, account, by, 0), "deposit");
      if (!done) return fail(409, "balance_limit", "account {} would leave its limits", account);
    }
    ::folio::deposit made{make_id("trf"), 0, std::string(usd)};
    VOLE_TRY(ledger::record(ctx, tx, made.transfer_id, "deposit", "",
                            {{to, std::string(usd), wanted.amount_minor},
                             {from, std::string(usd), -wanted.amount_minor}}),
             "deposit");
    made.balance_minor =
        VOLE_TRY(tx.query_one<std::int64_t>(ctx, "select balance from accounts where id = $1", to),
                 "read balance");
    return answer{.status = 201, .body = json::encode(made)};
  });
}

result<answer> store::place_order(context const& ctx, idempotency const& idem,
                                  order_request const& wanted, refuse_fn const& refuse) {
  stored_order o;
  order& s = o.shown;
  s = {make_id("ord"), wanted.user_id,     wanted.symbol,    wanted.side,
       wanted.type,    order_state::open,  wanted.qty_micro, 0,
       std::nullopt,   wanted.limit_minor, timestamp()};
  return once(ctx, db_, idem, refuse, [&](tx& tx) -> result<answer> {
    VOLE_TRY(require_user(ctx, tx, s.user_id), "place order");
    std::int64_t const price = VOLE_TRY(price_of(ctx, tx, s.symbol), "place order");
    bool const fill_now = crosses(s, price);
    auto const cost = ledger_cost(s.qty_micro, fill_now ? price : *s.limit_minor);
    if (!cost) {
      return fail_field("qty_micro", "out_of_range",
                        "qty_micro times the price is more than the ledger holds");
    }
    stored_order placed = o;
    if (fill_now) {
      placed.shown.state = order_state::filled;
      placed.shown.filled_micro = s.qty_micro;
      placed.shown.fill_price_minor = price;
      bool const enough = VOLE_TRY(settle(ctx, tx, placed, price, *cost), "place order");
      if (!enough) return not_enough(s);
    } else {
      bool const buy = s.side == order_side::buy;
      std::string_view const unit = buy ? usd : std::string_view(s.symbol);
      placed.reserved = buy ? *cost : s.qty_micro;
      VOLE_TRY(ledger::open(ctx, tx, s.user_id, unit), "place order");
      bool const enough =
          VOLE_TRY(ledger::change(ctx, tx, ledger::account_of(s.user_id, unit), 0, placed.reserved),
                   "place order");
      if (!enough) return not_enough(s);
    }
    VOLE_TRY(insert_order(ctx, tx, placed), "place order");
    return answer{.status = fill_now ? 201 : 202, .body = json::encode(placed.shown)};
  });
}

result<order> store::find_order(context const& ctx, std::string const& id) {
  auto found = VOLE_TRY(load_order(ctx, db_, id), "load order {}", id);
  return std::move(found.shown);
}

result<order> store::cancel_order(context const& ctx, std::string const& id) {
  auto const done = VOLE_TRY(cancel_if_open(ctx, id), "cancel order {}", id);
  if (!done.changed && done.now.state == order_state::filled)
    return fail(409, "order_filled", "order {} is filled already", id);
  return done.now;
}

result<store::cancelled> store::cancel_if_open(context const& ctx, std::string const& id) {
  return db_.write(ctx, [&](tx& tx) -> result<cancelled> {
    auto const done = VOLE_TRY(
        tx.exec(ctx, "update orders set state = 'cancelled' where id = $1 and state = 'open'", id),
        "close order");
    stored_order const o = VOLE_TRY(load_order(ctx, tx, id), "load order");
    if (done.rows_affected == 0) return cancelled{o.shown, false};
    std::string_view const unit =
        o.shown.side == order_side::buy ? usd : std::string_view(o.shown.symbol);
    bool const released =
        VOLE_TRY(ledger::change(ctx, tx, ledger::account_of(o.shown.user_id, unit), 0, -o.reserved),
                 "release what it reserved");
    if (!released) return vole::errors::make("its account of {} is missing", unit);
    return cancelled{o.shown, true};
  });
}

result<std::vector<holding>> store::holdings(context const& ctx, std::string const& user_id) {
  return db_.read(ctx, [&](tx& tx) -> result<std::vector<holding>> {
    VOLE_TRY(require_user(ctx, tx, user_id), "read holdings");
    auto const rows = VOLE_TRY(
        tx.query(ctx, "select unit, balance, reserved from accounts where owner = $1", user_id),
        "read holdings");
    std::vector<holding> all(rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      VOLE_TRY(rows[i].scan(all[i].unit, all[i].balance, all[i].reserved), "read holdings");
    }
    std::ranges::sort(all, {}, &holding::unit);  // not by the server's collation
    return all;
  });
}

result<bool> store::fill_order(context const& ctx, std::string const& id, std::int64_t price) {
  return db_.write(ctx, [&](tx& tx) -> result<bool> {
    auto const claimed =
        VOLE_TRY(tx.exec(ctx,
                         "update orders set state = 'filled', filled_micro = qty_micro, "
                         "fill_price_minor = $2 where id = $1 and state = 'open'",
                         id, price),
                 "claim order");
    if (claimed.rows_affected == 0) return false;  // cancelled meanwhile
    auto const o = VOLE_TRY(load_order(ctx, tx, id), "load order");
    auto const cost = ledger_cost(o.shown.qty_micro, price);
    if (!cost) {
      return vole::errors::wrap(unfillable, "its cost at {} is more than the ledger holds", price);
    }
    bool const held = VOLE_TRY(settle(ctx, tx, o, price, *cost), "settle");
    if (!held) return vole::errors::wrap(unfillable, "what it reserved is not there");
    return true;
  });
}

result<store::fills> store::fill_crossing(context const& ctx, price const& at) {
  constexpr std::int64_t batch = 100;
  fills done;
  std::string last_created_at;  // of the last order looked at, and its id
  std::string last_id;
  while (true) {
    auto const reached = VOLE_TRY(
        (db_.query_all<std::string, std::string>(
            ctx,
            "select created_at, id from orders where symbol = $1 and state = 'open' and "
            "((side = 'buy' and limit_minor >= $2) or (side = 'sell' and limit_minor <= $2)) "
            "and (created_at > $4 or (created_at = $4 and id > $5)) "
            "order by created_at, id limit $3",
            at.symbol, at.price_minor, batch, last_created_at, last_id)),
        "find orders that {} reaches at {}", at.symbol, at.price_minor);
    for (auto const& [created_at, id] : reached) {
      VOLE_TRY(fill_or_give_up(ctx, id, at.price_minor, done), "fill order {}", id);
    }
    if (reached.size() < static_cast<std::size_t>(batch)) return done;
    std::tie(last_created_at, last_id) = reached.back();
  }
}

error store::fill_or_give_up(context const& ctx, std::string const& id, std::int64_t price,
                             fills& done) {
  auto const filled = fill_order(ctx, id, price);
  if (filled) {
    done.filled += *filled ? 1 : 0;
    return {};
  }
  if (meets_all(ctx, filled.error())) return filled.error();
  error why = vole::errors::wrap(filled.error(), "fill order {}", id);
  if (!for_ever(why)) {
    done.failed.push_back(std::move(why));
    return {};
  }
  auto const gone = cancel_if_open(ctx, id);
  if (!gone) {
    if (meets_all(ctx, gone.error())) return gone.error();
    done.failed.push_back(
        vole::errors::join(std::move(why), vole::errors::wrap(gone.error(), "give it up")));
  } else if (gone->changed) {
    done.given_up.push_back(std::move(why));
  }
  return {};
}

result<store::feed_state> store::load_feed(context const& ctx) {
  return db_.read(ctx, [&](tx& tx) -> result<feed_state> {
    feed_state state;
    auto const rows = VOLE_TRY(tx.query(ctx, "select symbol, price_minor, as_of from prices"),
                               "load the last prices");
    for (vole::sql::row const row : rows) {
      price p;
      VOLE_TRY(row.scan(p.symbol, p.price_minor, p.as_of), "load the last prices");
      state.prices.push_back(std::move(p));
    }
    auto const steps = VOLE_TRY(
        tx.query_all<std::int64_t>(ctx, "select step from feed where id = 1"), "load its step");
    if (!steps.empty()) state.step = steps.front();
    return state;
  });
}

result<bool> store::save_step(context const& ctx, std::int64_t last,
                              std::vector<price> const& prices) {
  return db_.write(ctx, [&](tx& tx) -> result<bool> {
    // First, so that of two processes one waits here for the other.
    auto const moved = VOLE_TRY(
        last < 0
            ? tx.exec(ctx, "insert into feed (id, step) values (1, $1) on conflict (id) do nothing",
                      last + 1)
            : tx.exec(ctx, "update feed set step = $1 where id = 1 and step = $2", last + 1, last),
        "move the feed to step {}", last + 1);
    if (moved.rows_affected == 0) return false;
    for (price const& p : prices) {
      VOLE_TRY(tx.exec(ctx,
                       "insert into prices (symbol, price_minor, as_of) values ($1, $2, $3) on "
                       "conflict (symbol) "
                       "do update set price_minor = excluded.price_minor, as_of = excluded.as_of",
                       p.symbol, p.price_minor, p.as_of),
               "save the price of {}", p.symbol);
    }
    return true;
  });
}

}  // namespace folio
