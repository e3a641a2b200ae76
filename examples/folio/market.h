// SPDX-License-Identifier: Apache-2.0
// market: the price feed at work: each step is saved, published, and fills the open orders that it
// reaches.
#pragma once

#include "vole/log.h"
#include "vole/metrics.h"

#include "feed.h"
#include "store.h"

namespace folio {

class market {
 public:
  market(price_series series, store& store, price_hub& hub, vole::log::logger logger,
         vole::metrics::registry& registry);

  // resume goes on where the database stands: the last saved prices, or the first month on a fresh
  // one.
  error resume(context const& ctx);

  // run steps once per pace until ctx ends. A step that fails (the database is away) is logged; the
  // next one begins with what it left undone. When another process on the same database has made
  // the step, this one takes its prices over.
  error run(context const& ctx, vole::duration pace);

  // placed is called when an order has been left open: a price that was published before it was
  // committed may reach it, and the feed did not see it. The order stands, whoever placed it: so
  // the end of ctx, whose values the log takes, does not end the fill.
  void placed(context const& ctx, std::string_view symbol);

 private:
  error advance(context const& ctx);
  error step(context const& ctx);
  error follow(context const& ctx);
  error fill(context const& ctx, price const& at);
  error fill_all(context const& ctx);

  price_series series_;
  store& store_;
  price_hub& hub_;
  vole::log::logger logger_;
  std::int64_t step_ = -1;  // the last one saved; owner: resume, then run's goroutine
  bool unfilled_ = false;   // its fills have not ended; owner: as step_'s
  bool follows_ = false;    // another process makes the steps; owner: as step_'s
  vole::metrics::counter steps_;
  vole::metrics::counter fills_;
};

}  // namespace folio
