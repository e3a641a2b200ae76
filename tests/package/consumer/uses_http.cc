// SPDX-License-Identifier: Apache-2.0
#include "vole/http.h"

vole::http::mux routes();

vole::http::mux routes() {
  vole::http::mux mux;
  mux.handle("GET /hello/{name}", [](vole::http::response_writer& res, vole::http::request& req) {
    std::string const text = "hello, " + std::string(req.path_value("name")) + "\n";
    if (vole::error const err = res.write(text)) return;
  });
  return mux;
}
