// SPDX-License-Identifier: Apache-2.0
// A small ledger in SQLite: migrate, write in transactions, ask what an error was, read. Quoted by
// docs/guide/sql.md.
#include <cstdint>
#include <filesystem>
#include <optional>
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
    {2, "notes", "alter table accounts add column note text"},
};

static constinit errors::sentinel const account_exists{"account exists"};
static constinit errors::sentinel const no_such_account{"no such account"};

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

// Adds those that are not there yet, all or none of them; says how many.
static result<int> add_missing(context const& ctx, sql::db& db,
                               std::vector<std::string> const& names) {
  return db.write(ctx, [&](sql::tx& tx) -> result<int> {
    int added = 0;  // in here: the closure may run more than once
    for (auto const& name : names) {
      error const err =
          tx.savepoint(ctx, [&](sql::tx& inner) { return add_account(ctx, inner, name, 0); });
      if (errors::is(err, account_exists)) continue;
      if (err) return err;
      ++added;
    }
    return added;
  });
}

static error set_note(context const& ctx, sql::db& db, std::string_view name,
                      std::optional<std::string> const& note) {
  auto const done = VOLE_TRY(
      db.exec(ctx, "update accounts set note = $2 where name = $1", name, note), "note {}", name);
  if (done.rows_affected == 0) return errors::wrap(no_such_account, "note {}", name);
  return {};
}

static result<std::optional<std::string>> note_of(context const& ctx, sql::db& db,
                                                  std::string_view name) {
  auto note = db.query_one<std::optional<std::string>>(
      ctx, "select note from accounts where name = $1", name);
  if (errors::is(note.error(), sql::no_rows)) return error(no_such_account);
  return note;
}

// Row by row, for more rows than should be in memory at once.
static result<std::int64_t> add_up(context const& ctx, sql::db& db) {
  auto rows = VOLE_TRY(db.stream(ctx, "select balance from accounts"), "add up");
  std::int64_t sum = 0;
  VOLE_TRY(rows.each(ctx,
                     [&](sql::row row) -> error {
                       sum += VOLE_TRY(row.get<std::int64_t>("balance"), "add up");
                       return {};
                     }),
           "add up");
  return sum;
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

static result<sql::db> open_ledger(context const& ctx, std::string const& path) {
  sqlite::options options;
  options.hooks.done = [](context const&, sql::event const& e) {
    if (e.err) fmt::print("{} failed: {}\n", sql::name_of(e.operation), e.err);
  };
  auto db = VOLE_TRY(sqlite::open(ctx, path, options), "open the ledger");
  auto const done = VOLE_TRY(sql::migrate(ctx, db, migrations), "open the ledger");
  fmt::print("schema {}\n", done.version);
  return db;
}

static error ledger(context const& ctx, std::string const& path) {
  auto db = VOLE_TRY(open_ledger(ctx, path), "ledger");
  VOLE_TRY(add_account(ctx, db, "ann", 100), "set up");
  VOLE_TRY(add_account(ctx, db, "bob", 0), "set up");
  fmt::print("again: {}\n", add_account(ctx, db, "ann", 5));

  VOLE_TRY(transfer(ctx, db, "ann", "bob", 30), "first transfer");
  error const refused = transfer(ctx, db, "bob", "ann", 1000);
  fmt::print("too much: {}\n", sql::check_violation(refused) ? "refused" : refused.message());
  VOLE_TRY(show(ctx, db), "ledger");

  int const added = VOLE_TRY(add_missing(ctx, db, {"ann", "cid", "dan"}), "ledger");
  fmt::print("added {}\n", added);
  VOLE_TRY(set_note(ctx, db, "cid", "a friend"), "ledger");
  for (auto const* name : {"ann", "cid", "eve"}) {
    auto const note = note_of(ctx, db, name);
    fmt::print("{}: {}\n", name, note ? note->value_or("no note") : note.error().message());
  }

  sync::wait_group wg;  // ten callers at once share a commit or two
  for (int i = 0; i < 10; ++i) {
    wg.go([&] { static_cast<void>(transfer(ctx, db, "ann", "bob", 1)); });
  }
  wg.wait();
  auto const total = VOLE_TRY(add_up(ctx, db), "ledger");
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
// schema 2
// exec failed: UNIQUE constraint failed: accounts.name (SQLITE 1555)
// again: account exists
// exec failed: CHECK constraint failed: balance >= 0 (SQLITE 275)
// too much: refused
// ann: 70
// bob: 30
// exec failed: UNIQUE constraint failed: accounts.name (SQLITE 1555)
// added 2
// ann: no note
// cid: a friend
// eve: no such account
// total 100
