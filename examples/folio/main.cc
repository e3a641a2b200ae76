// SPDX-License-Identifier: Apache-2.0
// folio: a portfolio and order service. This is its wiring: configuration, database, feed, routes.

#include <cstdio>
#include <optional>
#include <string>

#include "vole/os.h"
#include "vole/service.h"
#include "vole/vole.h"

#include "api.h"
#include "config.h"
#include "database_watch.h"
#include "embedded.h"

namespace {

vole::result<folio::price_series> load_series(folio::config const& cfg, vole::service::app& app) {
  std::string text(folio::stocks_csv);
  std::string file = "stocks.csv (built in)";
  if (!cfg.prices.empty()) {
    text = VOLE_TRY(vole::os::read_file(cfg.prices), "read prices (choose others by --prices)");
    file = cfg.prices;
  }
  auto parsed = VOLE_TRY(folio::price_series::parse(text, file), "read prices");
  for (std::string const& problem : parsed.problems) {
    app.logger().warn(app.ctx(), "price line skipped", {{"problem", problem}});
  }
  return std::move(parsed.series);
}

void say_hints(vole::service::app const& app) {
  std::string const text = folio::hints(app.address(), app.admin_address());
  static_cast<void>(std::fwrite(text.data(), 1, text.size(), stderr));
}

int serve(folio::config const& cfg) {
  std::optional<folio::store> store;
  folio::price_hub hub;
  std::optional<folio::market> market;
  std::optional<folio::api> api;
  vole::service::app app(cfg.service);
  return app.run([&](vole::service::app& app) -> vole::error {
    folio::database_watch watch(app.metrics());
    vole::sql::db db = VOLE_TRY(folio::open_database(app.ctx(), cfg, watch.hooks()), "start");
    store.emplace(db);
    app.on_close("database", [&](vole::context const& ctx) { return store->db().close(ctx); });
    watch.add_pool(db);
    app.health().add_readiness("database", [watch, db](vole::context const& ctx) mutable {
      return watch.readiness(ctx, db);
    });
    folio::price_series series = VOLE_TRY(load_series(cfg, app), "start");
    market.emplace(std::move(series), *store, hub, app.logger(), app.metrics());
    VOLE_TRY(market->resume(app.ctx()), "start");
    app.background("price feed",
                   [&](vole::context const& ctx) { return market->run(ctx, cfg.feed_pace); });
    api.emplace(*store, hub, *market, app.serving_ctx(),
                folio::api_options{cfg.read_timeout, cfg.request_timeout});
    api->add_routes(app.mux());
    if (cfg.hints) app.on_serving([&app] { say_hints(app); });
    return {};
  });
}

}  // namespace

int main(int argc, char** argv) {
  folio::config cfg;
  if (auto const code = folio::parse_args(argc, argv, cfg)) return *code;
  return vole::run([&] { return serve(cfg); });
}
