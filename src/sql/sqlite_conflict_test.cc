// SPDX-License-Identifier: Apache-2.0
// A statement may say what becomes of it, or of all its transaction, when a constraint fails: OR
// FAIL keeps the rows it has changed so far, OR ROLLBACK takes everything back. Neither may reach
// the other members of its group, and no caller may be told what is not so.
#include <filesystem>
#include <functional>
#include <gtest/gtest.h>
#include <ostream>
#include <stdlib.h>
#include <string>
#include <vector>

#include "vole/chan.h"
#include "vole/go.h"
#include "vole/sql/sqlite.h"
#include "vole/sync.h"
#include "vole/testing.h"

#include "sql/conformance.h"

namespace vole::sql_test {
namespace {

using ids = std::vector<std::int64_t>;

class sqlite_conflict : public ::testing::Test {
 protected:
  using call = std::function<error()>;

  void SetUp() override {
    folder = (std::filesystem::temp_directory_path() / "vole-conflict-XXXXXX").string();
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    auto opened = sqlite::open(ctx, folder + "/test.db", {.group_time_max = std::chrono::hours(1)});
    ASSERT_OK(opened);
    db = *std::move(opened);
    auto conn = db.conn(ctx);
    ASSERT_OK(conn);
    ASSERT_OK(
        conn->exec_script(ctx,
                          "create table t (v bigint primary key, w text);"
                          "create table u (v bigint unique on conflict fail);"
                          "create trigger fails before insert on t when new.v = 13 begin "
                          "  select raise(fail, 'unlucky'); end;"
                          "create trigger rolls_back before insert on t when new.v = 14 begin "
                          "  select raise(rollback, 'unlucky'); end;"
                          "insert into t (v) values (1000), (2000), (3000);"
                          "insert into u values (1000);"));
  }
  void TearDown() override {
    if (db) EXPECT_OK(db.close(ctx));
    std::filesystem::remove_all(folder);
  }
  error run(std::string_view statement) { return db.exec(ctx, statement).error(); }
  error add(std::int64_t v) { return db.exec(ctx, "insert into t (v) values ($1)", v).error(); }
  // What stands in t beside what SetUp put there, and as it did.
  ids added() {
    return db
        .query_all<std::int64_t>(ctx,
                                 "select v from t where v < 1000 or w is not null union all "
                                 "select v from u where v <> 1000 order by v")
        .value();
  }
  // Makes the calls at once, members of one group in this order. Their errors.
  std::vector<error> together(std::vector<call> const& calls) {
    std::vector<error> ended(calls.size());
    auto held = db.conn(ctx);  // so that they all come while somebody writes
    EXPECT_OK(held);
    std::size_t const before = testing::parked();
    sync::wait_group wg;
    for (std::size_t i = 0; i < calls.size(); ++i) {
      wg.go([&, i] { ended[i] = calls[i](); });
      testing::wait_until_parked(before + i + 1);
    }
    {
      auto given_back = *std::move(held);
    }
    wg.wait();
    return ended;
  }

  // tidy: stored context, every statement of a test runs under it
  context const ctx;
  std::string folder;
  sql::db db;
};

// A statement that changes some rows and fails at a later one.
struct failing_statement {
  std::string_view name;
  std::string_view text;

  friend void PrintTo(failing_statement const& s, std::ostream* to) { *to << s.text; }
};
class sqlite_failing_statement : public sqlite_conflict,
                                 public ::testing::WithParamInterface<failing_statement> {
 protected:
  // Puts the call between two that do well, at each place of the three.
  void expect_only_the_others(call const& failing) {
    for (std::size_t place = 0; place < 3; ++place) {
      std::vector<call> calls = {[&] { return add(1); }, [&] { return add(2); }};
      calls.insert(calls.begin() + static_cast<std::ptrdiff_t>(place), failing);
      auto const ended = together(calls);
      for (std::size_t i = 0; i < 3; ++i) {
        EXPECT_EQ(static_cast<bool>(ended[i]), i == place) << place << ": " << ended[i].message();
      }
      EXPECT_EQ(added(), (ids{1, 2})) << "at place " << place;
      ASSERT_OK(run("delete from t where v < 1000"));
      ASSERT_OK(run("delete from u where v <> 1000"));
      ASSERT_OK(run("update t set w = null"));
    }
  }
};

TEST_P(sqlite_failing_statement, leaves_nothing_of_itself) {
  expect_only_the_others([&] { return run(GetParam().text); });
}

TEST_P(sqlite_failing_statement, leaves_nothing_of_its_transaction) {
  expect_only_the_others([&] {
    return db.write(ctx, [&](sql::tx& tx) -> error {
      VOLE_TRY(tx.exec(ctx, "insert into t (v) values (500)"), "before it");
      return tx.exec(ctx, GetParam().text).error();
    });
  });
}

// The closure goes on as if nothing had been.
TEST_P(sqlite_failing_statement, that_is_swallowed_fails_its_transaction) {
  expect_only_the_others([&] {
    return db.write(ctx, [&](sql::tx& tx) -> error {
      VOLE_TRY(tx.exec(ctx, "insert into t (v) values (500)"), "before it");
      EXPECT_FALSE(tx.exec(ctx, GetParam().text));
      EXPECT_FALSE(tx.exec(ctx, "insert into t (v) values (501)"));
      return {};
    });
  });
}

INSTANTIATE_TEST_SUITE_P(
    each, sqlite_failing_statement,
    ::testing::Values(
        failing_statement{"abort", "insert into t (v) values (10), (11), (1000)"},
        failing_statement{"insert_or_fail", "insert or fail into t (v) values (10), (11), (1000)"},
        failing_statement{"insert_or_rollback",
                          "insert or rollback into t (v) values (10), (11), (1000)"},
        failing_statement{"update_or_fail",
                          "update or fail t set w = 'new', v = iif(v = 3000, 1000, v)"},
        failing_statement{"update_or_rollback",
                          "update or rollback t set w = 'new', v = iif(v = 3000, 1000, v)"},
        failing_statement{"raise_fail", "insert into t (v) values (11), (12), (13)"},
        failing_statement{"raise_rollback", "insert into t (v) values (11), (12), (14)"},
        failing_statement{"on_conflict_fail", "insert into u values (10), (1000)"}),
    [](auto const& param) { return std::string(param.param.name); });

TEST_F(sqlite_conflict, a_savepoint_takes_back_what_or_fail_has_changed) {
  ASSERT_OK(db.write(ctx, [&](sql::tx& tx) -> error {
    VOLE_TRY(tx.exec(ctx, "insert into t (v) values (1)"), "outside");
    error const inner = tx.savepoint(ctx, [&](sql::tx& in) {
      return in.exec(ctx, "insert or fail into t (v) values (10), (1000)").error();
    });
    EXPECT_TRUE(sql::unique_violation(inner)) << inner.message();
    return tx.exec(ctx, "insert into t (v) values (2)").error();
  }));
  EXPECT_EQ(added(), (ids{1, 2}));
}

TEST_F(sqlite_conflict, or_rollback_cannot_be_held_by_a_savepoint) {
  auto const ended = together({
      [&] { return add(1); },
      [&] {
        return db.write(ctx, [&](sql::tx& tx) -> error {
          error const inner = tx.savepoint(ctx, [&](sql::tx& in) {
            return in.exec(ctx, "insert or rollback into t (v) values (10), (1000)").error();
          });
          EXPECT_TRUE(sql::unique_violation(inner)) << inner.message();
          return {};
        });
      },
      [&] { return add(2); },
  });
  EXPECT_OK(ended[0]);
  EXPECT_TRUE(ended[1]);
  EXPECT_OK(ended[2]);
  EXPECT_EQ(added(), (ids{1, 2}));
}

// What a statement failed because of went with the group; it is told of no row that is not there.
TEST_F(sqlite_conflict, or_rollback_is_not_told_of_a_row_that_it_took_back_itself) {
  internal::atomic<int> firsts{0};
  bool there = false;
  auto const ended = together({
      [&] {
        return db.write(ctx, [&](sql::tx& tx) {
          firsts.fetch_add(1);
          return tx.exec(ctx, "insert into t (v) values (1)").error();
        });
      },
      [&] {
        error const err = run("insert or rollback into t (v) values (1)");
        auto const seen =
            db.query_one<std::int64_t>(ctx, "select count(*) from t where v = 1").value();
        there = seen == 1;
        return err;
      },
  });
  EXPECT_EQ(firsts.load(), 2);
  EXPECT_TRUE(there);
  EXPECT_NE(static_cast<bool>(ended[0]), static_cast<bool>(ended[1]));  // whoever came first
  for (error const& err : ended) EXPECT_TRUE(!err || sql::unique_violation(err)) << err.message();
  EXPECT_EQ(added(), (ids{1}));
}

// A context that has ended gets no second run: its error stays as the closure made it.
TEST_F(sqlite_conflict, a_transaction_that_its_context_ended_does_not_run_again) {
  auto const [soon, cancel] = context::with_cancel(ctx);
  int runs = 0;
  auto const ended = together({
      [&] { return add(1); },
      [&, soon = soon] {
        return db.write(soon, [&](sql::tx& tx) -> error {
          ++runs;
          VOLE_TRY(tx.exec(soon, "insert into t (v) values (10)"), "own");
          cancel();
          VOLE_TRY(tx.exec(soon, "insert into t (v) values (11)"), "add 11");
          return {};
        });
      },
  });
  EXPECT_OK(ended[0]);
  EXPECT_EQ(ended[1].message(), "add 11: context canceled");
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(added(), (ids{1}));
}

// Comments as SQLite reads them, which do not nest, and a byte order mark.
TEST_F(sqlite_conflict, no_statement_ends_a_transaction_behind_its_back) {
  for (auto const* text : {"/* /* */ rollback", "/* /* */ commit", "\xef\xbb\xbfrollback",
                           "\xef\xbb\xbfsavepoint s", "/* /* */ begin"}) {
    auto const ended = together({
        [&] { return add(1); },
        [&] {
          return db.write(ctx, [&](sql::tx& tx) -> error {
            VOLE_TRY(tx.exec(ctx, "insert into t (v) values (10)"), "own");
            VOLE_TRY(tx.exec(ctx, text), "end it");
            return tx.exec(ctx, "insert into t (v) values (11)").error();
          });
        },
        [&] { return add(2); },
    });
    EXPECT_OK(ended[0]);
    EXPECT_NE(ended[1].message().find("is a method, not a statement"), std::string::npos)
        << text << ": " << ended[1].message();
    EXPECT_OK(ended[2]);
    EXPECT_EQ(added(), (ids{1, 2})) << text;
    ASSERT_OK(run("delete from t where v < 1000"));
    auto conn = db.conn(ctx);
    ASSERT_OK(conn);
    EXPECT_FALSE(conn->exec(ctx, text)) << text;
    EXPECT_TRUE(conn->exec_script(ctx, text)) << text;
  }
}

// Writers of every kind at once, into groups as they come. What stands in the table is what was
// answered with success, whole.
TEST_F(sqlite_conflict, a_storm_tells_every_caller_the_truth) {
  constexpr int writers = 12, rounds = 25;
  std::vector<ids> kept(writers);
  auto const write = [&](int kind, std::int64_t v) -> error {
    switch (kind) {
      case 0:
        return db.exec(ctx, "insert or rollback into t (v, w) values ($1, ''), (1000, '')", v)
            .error();
      case 1:
        return db.exec(ctx, "insert or fail into t (v, w) values ($1, ''), (1000, '')", v).error();
      case 2:
        return db.exec(ctx, "insert into t (v, w) values ($1, ''), ($1 + 1, '')", v).error();
      default:
        return db.write(ctx, [&](sql::tx& tx) -> error {
          VOLE_TRY(tx.exec(ctx, "insert into t (v, w) values ($1, '')", v), "one");
          return tx.exec(ctx, "insert into t (v, w) values ($1, '')", v + 1).error();
        });
    }
  };
  sync::wait_group wg;
  for (int g = 0; g < writers; ++g) {
    wg.go([&, g] {
      for (int i = 0; i < rounds; ++i) {
        std::int64_t const v = 10'000 + (g * rounds + i) * 2;
        int const kind = (g + i) % 5;
        error const err = write(kind, v);
        EXPECT_EQ(static_cast<bool>(err), kind < 2) << err.message();
        EXPECT_TRUE(!err || sql::unique_violation(err)) << err.message();
        if (!err) kept.at(g).insert(kept.at(g).end(), {v, v + 1});
      }
    });
  }
  wg.wait();
  ids all;
  for (ids const& of_one : kept) all.insert(all.end(), of_one.begin(), of_one.end());
  EXPECT_EQ(added(), all);
  auto const stats = db.stats();
  EXPECT_LE(stats.commits_total, stats.transactions_total);
}

// On a connection of one's own, outside of a transaction, SQLite's own rule holds.
TEST_F(sqlite_conflict, or_fail_alone_keeps_what_it_has_changed) {
  auto conn = db.conn(ctx);
  ASSERT_OK(conn);
  EXPECT_FALSE(conn->exec(ctx, "insert or fail into t (v) values (10), (1000)"));
  EXPECT_EQ(added(), (ids{10}));
}

}  // namespace
}  // namespace vole::sql_test
