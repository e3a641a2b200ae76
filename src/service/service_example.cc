// SPDX-License-Identifier: Apache-2.0
// A whole service: settings, a route, a failure, a check, a background task, start and stop.
#include <fmt/core.h>

#include "vole/go.h"
#include "vole/http/client.h"
#include "vole/runtime.h"
#include "vole/service.h"

using namespace vole;

// [handler]
error greet(http::response_writer& res, http::request& req) {
  auto name = req.path_value("name");
  if (name == "nobody") return service::fail(404, "no_such_user", "there is no user {}", name);
  http::reply(res, http::status::ok, fmt::format("hello, {}\n", name));
  return nullptr;
}
// [handler]

// [set_up]
error set_up(service::app& app) {
  app.mux().handle("GET /hello/{name}", service::handler(greet));
  app.health().add_readiness("database", [](context const&) { return nullptr; });
  app.background("feed",
                 [](context const& ctx) { return time::sleep(ctx, std::chrono::hours(1)); });
  app.on_close("database", [](context const&) {
    fmt::print("closed\n");
    return nullptr;
  });
  return nullptr;
}
// [set_up]

void ask(service::app& app) {
  http::client client;
  auto ctx = context::background();
  for (auto path : {"/hello/ann", "/hello/nobody"}) {
    auto res = client.get(ctx, fmt::format("http://{}{}", app.address(), path));
    if (!res) return fmt::print("{}\n", res.error());
    fmt::print("{} {}\n", res->status(), res->header().get("Content-Type"));
  }
  auto ready = client.get(ctx, fmt::format("http://{}/readyz", app.admin_address()));
  if (ready) fmt::print("ready: {}\n", ready->status());
}

int main() {
  service::options options;
  options.name = "hello";
  options.listen = "127.0.0.1:0";  // any free port
  options.admin = "127.0.0.1:0";
  options.log_level = log::level::error;
  return run([&] {
    service::app app(options);
    return app.run([](service::app& app) -> error {
      if (error err = set_up(app)) return err;
      app.background("visitor", [&app](context const& ctx) {
        while (!app.health().readiness(ctx).ready) runtime::yield();
        ask(app);
        app.stop();
        return nullptr;
      });
      return nullptr;
    });
  });
}

// Output:
// 200 text/plain; charset=utf-8
// 404 application/problem+json
// ready: 200
// closed
