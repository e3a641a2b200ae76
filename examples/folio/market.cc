// SPDX-License-Identifier: Apache-2.0
#include "market.h"

#include <chrono>

#include "vole/time.h"

namespace folio {
namespace {

constexpr vole::duration fill_timeout = std::chrono::seconds(10);  // after an order was placed

}  // namespace

market::market(price_series series, store& store, price_hub& hub, vole::log::logger logger,
               vole::metrics::registry& registry)
    : series_(std::move(series)),
      store_(store),
      hub_(hub),
      logger_(std::move(logger)),
      steps_(registry.counter("folio_feed_steps_total", "Months of prices replayed.")),
      fills_(registry.counter("folio_feed_fills_total",
                              "Open orders filled because the price reached them.")) {
  registry.gauge_func("folio_price_subscribers", "Readers of the price stream.",
                      [&hub] { return static_cast<double>(hub.subscribers()); });
}

error market::resume(context const& ctx) {
  auto state = VOLE_TRY(store_.load_feed(ctx), "resume the price feed");
  if (!state.step) {
    VOLE_TRY(step(ctx), "start the price feed");
    return {};
  }
  step_ = *state.step;
  hub_.publish(state.prices);
  logger_.info(ctx, "price feed resumed", {{"step", step_}});
  VOLE_TRY(fill_all(ctx), "resume the price feed");  // the end may have come between save and fills
  return {};
}

error market::run(context const& ctx, vole::duration pace) {
  if (pace <= vole::duration::zero()) return {};
  while (!vole::time::sleep(ctx, pace)) {
    error const err = advance(ctx);
    if (err && !ctx.err())
      logger_.error(ctx, "price feed step failed", {{"step", step_ + 1}, {"error", err}});
  }
  return {};
}

error market::advance(context const& ctx) {
  if (unfilled_) VOLE_TRY(fill_all(ctx), "fill what step {} left", step_);
  return step(ctx);
}

error market::step(context const& ctx) {
  std::string const as_of = timestamp();
  std::vector<price> prices;
  for (quote const& q : series_.at(static_cast<std::size_t>(step_ + 1))) {
    prices.push_back({q.symbol, q.price_minor, as_of});
  }
  // Saved first: what a client has seen, a restart shows again.
  bool const mine = VOLE_TRY(store_.save_step(ctx, step_, prices), "save step {}", step_ + 1);
  if (!mine) return follow(ctx);
  follows_ = false;
  ++step_;
  steps_.add();
  hub_.publish(prices);
  return fill_all(ctx);
}

// follow takes over where another process has moved the feed to. It fills orders too: the other may
// have ended before it did.
error market::follow(context const& ctx) {
  auto const state = VOLE_TRY(store_.load_feed(ctx), "follow the price feed");
  if (!state.step) return vole::errors::make("the feed's step is gone from the database");
  if (!follows_) {
    logger_.info(ctx, "price feed is moved by another process on this database",
                 {{"step", *state.step}});
  }
  follows_ = true;
  step_ = *state.step;
  hub_.publish(state.prices);
  return fill_all(ctx);
}

error market::fill_all(context const& ctx) {
  unfilled_ = true;
  for (price const& p : hub_.all()) VOLE_TRY(fill(ctx, p), "fill orders for {}", p.symbol);
  unfilled_ = false;
  return {};
}

error market::fill(context const& ctx, price const& at) {
  auto const done = VOLE_TRY(store_.fill_crossing(ctx, at), "at {}", at.price_minor);
  fills_.add(done.filled);
  for (error const& why : done.given_up) {
    logger_.error(ctx, "order cancelled: it cannot be filled", {{"error", why}});
  }
  for (error const& why : done.failed) {
    logger_.error(ctx, "order not filled: tried again at the next step", {{"error", why}});
  }
  return {};
}

void market::placed(context const& ctx, std::string_view symbol) {
  auto const now = hub_.find(symbol);
  if (!now) return;
  auto const [own, cancel] = context::with_timeout(context::without_cancel(ctx), fill_timeout);
  if (error const err = fill(own, *now)) {
    logger_.error(ctx, "fill of a new order failed", {{"symbol", symbol}, {"error", err}});
  }
}

}  // namespace folio
