// SPDX-License-Identifier: Apache-2.0
#include "vole/bench.h"
#include "vole/http/mux.h"
#include "vole/http/test.h"
#include "vole/service/request.h"

namespace vole {
namespace {

class null_sink final : public log::sink {
 public:
  void write(std::string_view line) override { bench::keep(line.size()); }
  std::uint64_t lines_lost() const override { return 0; }
};

void serve(bench::benchmark& b, http::handler const& handler) {
  b.report_allocs();
  auto const req = http::test::make_request("GET", "/v1/prices");
  while (b.loop()) {
    http::test::recorder res;
    req->set_ctx(context::background());
    handler(res, *req);
  }
}

http::mux routes() {
  http::mux mux;
  mux.handle("GET /v1/prices", [](http::response_writer& res, http::request&) {
    http::reply(res, http::status::ok, "{}");
  });
  return mux;
}

VOLE_BENCH(request_bare) {
  serve(b, routes());
}

VOLE_BENCH(request_observed) {
  metrics::registry registry;
  service::observe_options how;
  how.logger = log::logger({.to = std::make_shared<null_sink>()});
  how.registry = &registry;
  serve(b, service::observe(how)(routes()));
}

}  // namespace
}  // namespace vole
