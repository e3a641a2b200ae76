// SPDX-License-Identifier: Apache-2.0
// http: the HTTP/1.1 server side: messages, server, router, middleware.
// The client is "vole/http/client.h", server-sent events "vole/http/sse.h", the means to test
// handlers "vole/http/test.h".
//
//   http::mux mux;
//   mux.handle("GET /hello/{name}", [](http::response_writer& res, http::request& req) {
//     http::reply(res, http::status::ok, fmt::format("hello, {}\n", req.path_value("name")));
//   });
//   http::server server({.handler = mux});
//   auto listener = VOLE_TRY(net::listen("tcp", "127.0.0.1:8080"), "start the server");
//   return server.serve(ctx, *listener);
#pragma once

#include "vole/http/message.h"     // IWYU pragma: export
#include "vole/http/middleware.h"  // IWYU pragma: export
#include "vole/http/mux.h"         // IWYU pragma: export
#include "vole/http/server.h"      // IWYU pragma: export
