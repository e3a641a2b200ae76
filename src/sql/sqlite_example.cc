// SPDX-License-Identifier: Apache-2.0
// A small ledger in SQLite: migrate, write in transactions, ask what an error was, read.
#include <cstdint>
#include <filesystem>
#include <stdlib.h>
#include <string>
#include <string_view>
#include <vector>

#include "vole/context.h"
#include "vole/go.h"
#include "vole/internal/format.h"
#include "vole/sql.h"
#include "vole/sql/migrate.h"
#include "vole/sql/sqlite.h"
#include "vole/sync.h"

using namespace vole;

static std::vector<sql::migration> const migrations = {
    {1, "accounts",
     "create table accounts (name text primary key, balance bigint not null check (balance >= 0))"},
};

static constinit errors::sentinel const account_exists{"account exists"};

static error add_account(context const& ctx, sql::executor& on, std::string_view name,
                         std::int64_t balance) {
  error const err =
      on.exec(ctx, "insert into accounts (name, balance) values ($1, $2)", name, balance).error();
  if (sql::unique_violation(err)) return account_exists;
  return errors::wrap(err, "add account {}", name);
}

static error transfer(context const& ctx, sql::db& db, std::string_view from, std::string_view to,
                      std::int64_t amount) {
  return db.write(ctx, [&](sql::tx& tx) -> error {
    VOLE_TRY(
        tx.exec(ctx, "update accounts set balance = balance - $1 where name = $2", amount, from),
        "take {} from {}", amount, from);
    VOLE_TRY(tx.exec(ctx, "update accounts set balance = balance + $1 where name = $2", amount, to),
             "give {} to {}", amount, to);
    return {};
  });
}

static error show(context const& ctx, sql::db& db) {
  auto rows = VOLE_TRY(db.query(ctx, "select name, balance from accounts order by name"),
                       "show the accounts");
  for (sql::row const row : rows) {
    std::string_view name;
    std::int64_t balance = 0;
    VOLE_TRY(row.scan(name, balance), "show the accounts");
    fmt::print("{}: {}\n", name, balance);
  }
  return {};
}

static error ledger(context const& ctx, std::string const& path) {
  auto db = VOLE_TRY(sqlite::open(ctx, path), "open the ledger");
  auto const done = VOLE_TRY(sql::migrate(ctx, db, migrations), "open the ledger");
  fmt::print("schema {}\n", done.version);

  VOLE_TRY(add_account(ctx, db, "ann", 100), "set up");
  VOLE_TRY(add_account(ctx, db, "bob", 0), "set up");
  fmt::print("again: {}\n", add_account(ctx, db, "ann", 5));

  VOLE_TRY(transfer(ctx, db, "ann", "bob", 30), "first transfer");
  error const refused = transfer(ctx, db, "bob", "ann", 1000);
  fmt::print("too much: {}\n", sql::check_violation(refused) ? "refused" : refused.message());
  VOLE_TRY(show(ctx, db), "ledger");

  sync::wait_group wg;  // ten callers at once share a commit or two
  for (int i = 0; i < 10; ++i) {
    wg.go([&] { static_cast<void>(transfer(ctx, db, "ann", "bob", 1)); });
  }
  wg.wait();
  auto const total =
      VOLE_TRY(db.query_one<std::int64_t>(ctx, "select sum(balance) from accounts"), "add up");
  fmt::print("total {}\n", total);
  return db.close(ctx);
}

int main() {
  return run([] {
    std::string folder = (std::filesystem::temp_directory_path() / "vole-ledger-XXXXXX").string();
    if (::mkdtemp(folder.data()) == nullptr) return 1;
    error const err = ledger(context::background(), folder + "/ledger.db");
    if (err) fmt::print("{}\n", err);
    std::filesystem::remove_all(folder);
    return err ? 1 : 0;
  });
}

// Output:
// schema 1
// again: account exists
// too much: refused
// ann: 70
// bob: 30
// total 100
