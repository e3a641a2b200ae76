// SPDX-License-Identifier: Apache-2.0
// config: folio's settings, from flags and from FOLIO_* variables; `folio --help` shows each with
// its default.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "vole/service.h"
#include "vole/sql.h"

namespace folio {

struct config {
  config() {
    service.name = "folio";
    service.version = "0.1.0";
  }

  vole::service::options service;
  std::string database = "sqlite:data/folio.db";
  std::string prices;  // a file; empty: the prices built in
  vole::duration feed_pace = std::chrono::seconds(1);
  vole::duration read_timeout = std::chrono::seconds(2);
  vole::duration request_timeout = std::chrono::seconds(10);
  std::int64_t connections_max = 0;
  bool hints = false;
};

// parse_args fills the configuration. A value: leave main with it; what there was to say has been
// printed.
std::optional<int> parse_args(int argc, char** argv, config& to);

// open_database opens what --database names (making an SQLite file's folder) and brings its schema
// up to date.
vole::result<vole::sql::db> open_database(vole::context const& ctx, config const& from,
                                          vole::sql::hooks hooks);

// hints is what to try next, for who has just started folio; admin: its address, or "".
std::string hints(std::string_view listen, std::string_view admin);

}  // namespace folio
