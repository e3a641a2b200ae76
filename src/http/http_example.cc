// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "vole/go.h"
#include "vole/http.h"
#include "vole/http/client.h"
#include "vole/internal/format.h"
#include "vole/net.h"
#include "vole/result.h"
#include "vole/sync/wait_group.h"

using namespace vole;

namespace {

// [handlers]
void greet(http::response_writer& res, http::request& req) {
  http::reply(res, http::status::ok, fmt::format("hello, {}\n", req.path_value("name")));
}

void count(http::response_writer& res, http::request& req) {
  auto const body = req.read_body();
  if (!body) return http::reply_error(res, http::status_of(body.error()), "unreadable body");
  http::reply(res, http::status::ok, fmt::format("{} bytes\n", body->size()));
}
// [handlers]

// [routes]
http::mux make_routes() {
  http::mux mux;
  mux.handle("GET /hello/{name}", greet);
  mux.handle("POST /count", http::chain(count, {http::max_body(10)}));
  return mux;
}
// [routes]

// [ask]
error show(context const& ctx, result<http::response> got) {
  http::response res = VOLE_TRY(std::move(got), "ask");
  std::string const body = VOLE_TRY(res.read_all(ctx), "ask");
  fmt::print("{} {}", res.status(), body);
  return nullptr;
}

error ask(context const& ctx, http::client& client, std::string const& base) {
  VOLE_TRY(show(ctx, client.get(ctx, base + "/hello/ann")), "say hello");
  VOLE_TRY(show(ctx, client.post(ctx, base + "/count", "text/plain", "12345")), "count");
  return show(ctx, client.post(ctx, base + "/count", "text/plain", "12345678901"));
}
// [ask]

// [serve]
error serve() {
  auto [ctx, stop] = context::with_cancel(context::background());
  auto listener = VOLE_TRY(net::listen("tcp", "127.0.0.1:0"), "start the server");
  http::server server({.handler = make_routes()});
  error served;
  sync::wait_group serving;
  serving.go([&, ctx = ctx] { served = server.serve(ctx, *listener); });

  http::client client;
  error const asked = ask(ctx, client, "http://" + listener->addr().text());
  stop();  // no new connections; requests in flight end; then serve returns
  serving.wait();
  return errors::join(asked, served);
}
// [serve]

}  // namespace

int main() {
  return run([] {
    error const err = serve();
    if (err) fmt::print("{}\n", err);
    return err ? 1 : 0;
  });
}

// Output:
// 200 hello, ann
// 200 5 bytes
// 413 unreadable body
