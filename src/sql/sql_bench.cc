// SPDX-License-Identifier: Apache-2.0
// SQLite in a temporary folder, and PostgreSQL where it is installed: one row read, one
// row written, by one caller and by many.
#include <filesystem>
#include <stdlib.h>
#include <string>

#include "vole/bench.h"
#include "vole/internal/atomic.h"
#include "vole/sql.h"
#include "vole/sql/postgres.h"
#include "vole/sql/sqlite.h"

#include "sql/testing_postgres.h"

namespace vole {
namespace {

// A database of one table with 1,000 rows.
error fill(sql::db& db) {
  VOLE_TRY(db.exec({}, "create table items (id bigint primary key, name text not null)"), "fill");
  return db.write({}, [](sql::tx& tx) -> error {
    for (int i = 0; i < 1000; ++i) {
      VOLE_TRY(tx.exec({}, "insert into items values ($1, $2)", i, "item " + std::to_string(i)),
               "fill");
    }
    return {};
  });
}

void measure(bench::benchmark& b, sql::db& db) {
  b.run("read_row", [&](bench::benchmark& sub) {
    std::int64_t id = 0;
    while (sub.loop()) {
      auto const name =
          db.query_one<std::string>({}, "select name from items where id = $1", id++ % 1000);
      if (!name) return sub.fail("{}", name.error());
      bench::keep(*name);
    }
  });
  b.run("read_row_many", [&](bench::benchmark& sub) {
    sub.set_parallelism(16);
    sub.run_parallel([&](bench::parallel& turns) {
      while (turns.next()) {
        auto const name = db.query_one<std::string>({}, "select name from items where id = $1", 7);
        if (!name) return sub.fail("{}", name.error());
      }
    });
  });
  b.run("read_1000_rows", [&](bench::benchmark& sub) {
    while (sub.loop()) {
      auto const all = db.query_all<std::int64_t, std::string>({}, "select id, name from items");
      if (!all) return sub.fail("{}", all.error());
      bench::keep(all->size());
    }
  });
  static internal::atomic<std::int64_t> next{1000};
  auto const insert = [&db] {
    return db.exec({}, "insert into items values ($1, 'new')", next.fetch_add(1)).error();
  };
  b.run("insert", [&](bench::benchmark& sub) {
    while (sub.loop()) {
      if (error const err = insert()) return sub.fail("{}", err);
    }
  });
  b.run("insert_many", [&](bench::benchmark& sub) {
    auto const before = db.stats();
    sub.set_parallelism(32);
    sub.run_parallel([&](bench::parallel& turns) {
      while (turns.next()) {
        if (error const err = insert()) return sub.fail("{}", err);
      }
    });
    auto const after = db.stats();
    auto const commits = after.commits_total - before.commits_total;
    if (commits > 0) {
      sub.report_metric(static_cast<double>(after.transactions_total - before.transactions_total) /
                            static_cast<double>(commits),
                        "tx/commit");
    }
  });
}

VOLE_BENCH(sqlite) {
  std::string folder = (std::filesystem::temp_directory_path() / "vole-bench-XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) return b.fail("no temporary folder");
  auto db = sqlite::open({}, folder + "/bench.db");
  if (!db) return b.fail("{}", db.error());
  if (error const err = fill(*db)) return b.fail("{}", err);
  measure(b, *db);
  if (error const err = db->close({})) b.fail("{}", err);
  std::filesystem::remove_all(folder);
}

VOLE_BENCH(postgres) {
  if (std::string const why = testing::postgres_server::missing(); !why.empty()) {
    return b.skip("{}", why);
  }
  auto server = testing::postgres_server::start();
  if (!server) return b.fail("{}", server.error());
  auto db = postgres::open({}, (*server)->url());
  if (!db) return b.fail("{}", db.error());
  if (error const err = fill(*db)) return b.fail("{}", err);
  measure(b, *db);
  if (error const err = db->close({})) b.fail("{}", err);
}

}  // namespace
}  // namespace vole
