// SPDX-License-Identifier: Apache-2.0
// relay: a service that passes GET requests on to another one and their answers back: the hops in
// front of folio in the tests of deadline budgets and of cancellation. No shared state.
#include <fmt/format.h>
#include <string>

#include "vole/http/client.h"
#include "vole/service.h"
#include "vole/vole.h"

namespace {

using vole::context;
using vole::error;
namespace http = vole::http;
namespace service = vole::service;

struct settings {
  service::options service = {.name = "relay"};
  std::string upstream = "http://127.0.0.1:8080";
};

error pass_on(http::client& client, settings const& to, http::response_writer& res,
              http::request& req) {
  http::client_request out;
  out.url = to.upstream + std::string(req.target());
  out.header.set("X-Request-Id", vole::log::request_id(req.ctx()));
  auto answer = VOLE_TRY(client.send(req.ctx(), out), "relay");
  std::string const body = VOLE_TRY(answer.read_all(req.ctx()), "relay");
  http::reply(res, answer.status(), body, answer.header().get("Content-Type"));
  return {};
}

int serve(settings const& how) {
  http::client client;
  service::app app(how.service);
  return app.run([&](service::app& at) -> error {
    at.mux().handle("GET /{path...}",
                    service::handler([&](http::response_writer& res, http::request& req) {
                      return pass_on(client, how, res, req);
                    }));
    return {};
  });
}

}  // namespace

int main(int argc, char** argv) {
  settings how;
  service::flags flags("relay", "Passes GET requests on.");
  service::add_flags(flags, how.service);
  flags.url("upstream", &how.upstream, "where to");
  if (auto const code = flags.parse(argc, argv)) return *code;
  return vole::run([&] { return serve(how); });
}
