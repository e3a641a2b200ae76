// SPDX-License-Identifier: Apache-2.0
// The plain-text handler as a vole service: every limit and timeout on. See run.sh.
//   bench_http_plain ADDRESS
#include <cstdio>
#include <fmt/core.h>

#include "vole/context.h"
#include "vole/go.h"
#include "vole/http.h"
#include "vole/net.h"

using namespace vole;

namespace {

int serve(char const* address) {
  http::mux mux;
  mux.handle("GET /plain", [](http::response_writer& res, http::request&) {
    http::reply(res, http::status::ok, "Hello, World!\n");
  });
  http::server server({.handler = mux});
  auto listener = net::listen("tcp", address);
  if (!listener) {
    fmt::print(stderr, "{}\n", listener.error());
    return 1;
  }
  error const err = server.serve(context::background(), **listener);
  fmt::print(stderr, "{}\n", err);
  return err ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "usage: {} ADDRESS\n", argv[0]);
    return 2;
  }
  return run([&] { return serve(argv[1]); });
}
