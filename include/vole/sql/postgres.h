// SPDX-License-Identifier: Apache-2.0
// PostgreSQL: libpq, non-blocking, on the runtime's netpoller. The interface is vole/sql.h's.
// No call receives notifications: they are dropped, and what LISTEN has begun ends when the
// connection goes back to the pool.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include "vole/sql.h"

namespace vole::postgres {

// pg_error is an error the server sent.
//   if (auto* pg = errors::as<postgres::pg_error>(err); pg && pg->code == "23505") ...
class pg_error final : public errors::typed_base {
 public:
  std::string severity;  // ERROR, FATAL, PANIC; never translated
  std::string code;      // SQLSTATE, five characters: "23505"
  std::string text;      // the primary message
  std::string detail;
  std::string hint;
  int position = 0;           // character in the statement, from 1; 0: none
  int internal_position = 0;  // the same in internal_query
  std::string internal_query;
  std::string where;
  std::string schema;
  std::string table;
  std::string column;
  std::string datatype;
  std::string constraint;
  std::string file;  // of the server's source
  int line = 0;
  std::string routine;

  // The primary message and the code: `duplicate key value violates unique constraint
  // "users_email_key" (SQLSTATE 23505)`. The detail may quote data: it is in the field, and not in
  // the message.
  std::string message() const override;
};

// What a pool does; the defaults are meant for production.
struct pool_options {
  int open_max = 0;  // connections; 0: 4 per processor, at least 4
  std::chrono::nanoseconds connect_timeout = std::chrono::seconds(5);  // for one new connection
  std::chrono::nanoseconds lifetime_max =
      std::chrono::hours(1);  // then it is replaced (10 % jitter)
  std::chrono::nanoseconds idle_max = std::chrono::minutes(30);  // then it is closed
  std::chrono::nanoseconds cancel_timeout =
      std::chrono::seconds(5);  // an interrupted statement's answer
  // A statement under a deadline that is no farther off is bounded by the server too (the session's
  // statement_timeout, which is then ours to set, 1024 ms at the least); 0: never.
  std::chrono::nanoseconds statement_timeout_max = std::chrono::minutes(1);
  std::size_t statements_max = 256;  // prepared statements kept per connection
  std::string application_name{};    // as pg_stat_activity shows it; empty: what the URL says
  sql::hooks hooks{};
};

// open makes a pool and its first connection.
// url:     postgres://user:password@host:port/database?sslmode=require, or libpq's "key=value ..."
// form. What it
//          leaves out comes from libpq's environment variables and ~/.pgpass.
// Blocks:  until the first connection stands.   Cancels: with ctx.
// Errors:  a malformed URL (without its password); "connect to 127.0.0.1:5432: connection refused";
// pg_error.
result<sql::db> open(context const& ctx, std::string_view url, pool_options options = {});

}  // namespace vole::postgres
