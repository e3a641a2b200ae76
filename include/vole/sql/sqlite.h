// SPDX-License-Identifier: Apache-2.0
// SQLite: an embedded database in one file. The interface is vole/sql.h's.
//
// WAL, synchronous=FULL (a commit is on the disk before it is answered), foreign keys on. One
// connection writes, a small pool of others reads beside it on snapshots. Concurrent small
// transactions given to db.write() or db.exec() share one commit, and so one sync; each is still
// all or nothing, also with OR FAIL or RAISE(FAIL), and OR ROLLBACK lets the others run again.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include "vole/sql.h"

namespace vole::sqlite {

// sqlite_error is an error SQLite gave.
class sqlite_error final : public errors::typed_base {
 public:
  int code = 0;            // primary: SQLITE_CONSTRAINT (19)
  int extended_code = 0;   // SQLITE_CONSTRAINT_UNIQUE (2067)
  std::string text;        // "UNIQUE constraint failed: users.email"
  std::string constraint;  // "users.email"; empty when the error is not about a constraint
  int system_errno = 0;    // of a failed input or output; 0: none

  // The text and the code: "UNIQUE constraint failed: users.email (SQLITE 2067)".
  std::string message() const override;
};

struct options {
  int readers_max = 4;  // reader connections
  std::chrono::nanoseconds busy_timeout =
      std::chrono::seconds(5);       // wait for another process's lock
  std::size_t statements_max = 256;  // prepared statements kept per connection
  int group_max = 128;               // transactions in one commit
  std::chrono::nanoseconds group_time_max = std::chrono::milliseconds(5);  // then the group commits
  std::size_t cache_bytes = 8u << 20;  // page cache per connection
  sql::hooks hooks{};
};

// open opens the file, making it where there is none; its folder must be there.
// Errors:  "open data/folio.db: no such file or directory"; sqlite_error; an in-memory name is
// refused, since its
//          connections would not see each other.
result<sql::db> open(context const& ctx, std::string_view path, options options = {});

}  // namespace vole::sqlite
