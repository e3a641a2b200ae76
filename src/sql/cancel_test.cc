// SPDX-License-Identifier: Apache-2.0
// A cancel against what a database call waits for, on both databases: a connection, a statement, a
// commit. Afterwards every connection is back, and what is known of each change is true.
#include <filesystem>
#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <stdlib.h>
#include <string>

#include "vole/sql/postgres.h"
#include "vole/sql/sqlite.h"

#include "sql/postgres_for_test.h"
#include "testing/cancel_race.h"

namespace vole::sql_test {
namespace {

using testing::race_cancel;

constexpr int rounds = 60;

context const bg = context::background();

class sql_cancel : public ::testing::TestWithParam<sql::dialect> {
 protected:
  void SetUp() override {
    if (GetParam() == sql::dialect::postgres) {
      if (std::string const why = testing::postgres_server::missing(); !why.empty()) {
        GTEST_SKIP() << why;
      }
      keep(postgres::open(bg, server().url(), {.open_max = 1}));
    } else {
      folder = (std::filesystem::temp_directory_path() / "vole-cancel-XXXXXX").string();
      ASSERT_NE(::mkdtemp(folder.data()), nullptr);
      keep(sqlite::open(bg, folder + "/test.db"));
    }
    ASSERT_TRUE(db.exec(bg, "create table cancels (v bigint primary key)"));
  }
  void TearDown() override {
    if (!db) return;
    EXPECT_TRUE(db.exec(bg, "drop table cancels"));
    EXPECT_FALSE(db.close(bg)) << "a connection did not come back";
    if (!folder.empty()) std::filesystem::remove_all(folder);
  }
  void keep(result<sql::db> opened) {
    ASSERT_TRUE(opened) << opened.error().message();
    db = *std::move(opened);
  }
  bool is_there(std::int64_t v) {
    return *db.query_one<std::int64_t>(bg, "select count(*) from cancels where v = $1", v) == 1;
  }
  // What the outcome of the change of v says must be so.
  void expect_true(error const& err, std::int64_t v) {
    if (errors::is(err, sql::outcome_unknown)) return;
    EXPECT_EQ(is_there(v), !err) << err.message();
  }

  std::string folder;
  sql::db db;
};
INSTANTIATE_TEST_SUITE_P(each, sql_cancel,
                         ::testing::Values(sql::dialect::postgres, sql::dialect::sqlite),
                         [](auto const& param) { return std::string(name_of(param.param)); });

TEST_P(sql_cancel, wait_for_a_connection) {
  std::optional<sql::conn> held;
  auto const take = [&] {
    auto taken = db.conn(bg);
    ASSERT_TRUE(taken) << taken.error().message();
    held.emplace(*std::move(taken));
  };
  take();
  race_cancel(
      501, rounds, [&](context const& ctx) { return db.conn(ctx).error(); },
      [&](context const&) { held.reset(); },
      [&](error const&) {
        take();
        EXPECT_EQ(db.stats().waiting, 0);
      });
}

TEST_P(sql_cancel, statement) {
  race_cancel(
      502, rounds,
      [&](context const& ctx) {
        return db
            .query(ctx,
                   "with recursive n(v) as (select 1 union all select v + 1 from n where "
                   "v < 2000) select count(*) from n")
            .error();
      },
      [](context const&) {}, [&](error const&) { EXPECT_FALSE(db.ping(bg)); });
}

TEST_P(sql_cancel, write_says_what_became_of_it) {
  std::int64_t v = 0;
  race_cancel(
      503, rounds,
      [&](context const& ctx) {
        ++v;
        return db.write(ctx, [&](sql::tx& tx) {
          return tx.exec(ctx, "insert into cancels (v) values ($1)", v).error();
        });
      },
      [](context const&) {}, [&](error const& err) { expect_true(err, v); });
}

TEST_P(sql_cancel, commit_says_what_became_of_it) {
  std::int64_t v = 0;
  race_cancel(
      504, rounds,
      [&](context const& ctx) -> error {
        auto tx = db.begin(bg);
        if (!tx) return tx.error();
        ++v;
        if (auto done = tx->exec(bg, "insert into cancels (v) values ($1)", v); !done) {
          return done.error();
        }
        return tx->commit(ctx);
      },
      [](context const&) {}, [&](error const& err) { expect_true(err, v); });
}

}  // namespace
}  // namespace vole::sql_test
