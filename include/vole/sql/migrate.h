// SPDX-License-Identifier: Apache-2.0
// Migrations: numbered SQL scripts, each applied once, in order, in a transaction of its own, under
// a lock.
//
// What was applied stands in the table schema_migrations (version, name, checksum, applied_at).
// Several processes may migrate at the same moment: PostgreSQL's advisory lock, or SQLite's write
// lock, lets one at a time look and apply.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vole/sql.h"

namespace vole::sql {

struct migration {
  std::int64_t version = 0;  // 1, 2, 3, ... without a gap
  std::string name;          // "create_users"
  std::string sql;           // any number of statements
};

struct migrate_report {
  std::int64_t version = 0;           // of the schema now
  std::vector<std::int64_t> applied;  // by this call
};

// migrate brings the schema to the last of the migrations.
// Errors:  nothing is applied when the list has a gap or a duplicate, when an applied migration's
// text changed
//          since, when one below the schema's version was never applied, and when the database
//          knows a newer version than the list. A migration that fails is rolled back and named;
//          those before it stay.
// Blocks:  until the lock is had.   Cancels: with ctx.
result<migrate_report> migrate(context const& ctx, db& db, std::span<migration const> migrations);

// load_migrations reads NNNN_name.sql from a folder, in order. NNNN_name.postgres.sql and
// NNNN_name.sqlite.sql take the place of NNNN_name.sql for their database. Other files are left
// alone. Errors:  a name that starts with a digit and is not of that form; two files for one
// version; a gap.
result<std::vector<migration>> load_migrations(context const& ctx, std::string_view folder,
                                               dialect d);

// The checksum migrate() keeps: SHA-256 in hex, line ends taken as \n.
std::string checksum_of(migration const& m);

}  // namespace vole::sql
