// SPDX-License-Identifier: Apache-2.0
#include "vole/sql/sqlite.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <gtest/gtest.h>
#include <optional>
#include <stdlib.h>
#include <string>
#include <vector>

#include "vole/chan.h"
#include "vole/go.h"
#include "vole/runtime.h"
#include "vole/sync.h"
#include "vole/testing.h"

#include "sql/conformance.h"

namespace vole::sql_test {
namespace {

using namespace std::chrono_literals;

class sqlite_db : public ::testing::Test {
 protected:
  void SetUp() override {
    folder = (std::filesystem::temp_directory_path() / "vole-sqlite-XXXXXX").string();
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    open({.group_time_max = 10min});
    ASSERT_OK(db.exec(ctx, "create table t (v bigint primary key, w text)"));
  }
  void TearDown() override {
    if (db) EXPECT_OK(db.close(ctx));
    std::filesystem::remove_all(folder);
  }
  void open(sqlite::options options) {
    if (db) ASSERT_OK(db.close(ctx));
    auto opened = sqlite::open(ctx, file(), std::move(options));
    ASSERT_OK(opened);
    db = *std::move(opened);
  }
  std::string file() const { return folder + "/test.db"; }
  std::int64_t count() { return db.query_one<std::int64_t>(ctx, "select count(*) from t").value(); }
  error add(std::int64_t v) { return db.exec(ctx, "insert into t (v) values ($1)", v).error(); }

  context const ctx;
  std::string folder;
  sql::db db;
};

TEST_F(sqlite_db, every_connection_is_durable_and_checks_foreign_keys) {
  auto const expect = [&](sql::executor& on) {
    EXPECT_EQ(on.query_one<std::string>(ctx, "pragma journal_mode").value(), "wal");
    EXPECT_EQ(on.query_one<std::int64_t>(ctx, "pragma synchronous").value(), 2);
    EXPECT_EQ(on.query_one<std::int64_t>(ctx, "pragma foreign_keys").value(), 1);
  };
  expect(db);  // a reader
  auto writer = db.conn(ctx);
  ASSERT_OK(writer);
  expect(*writer);
}

TEST_F(sqlite_db, concurrent_statements_share_one_commit) {
  constexpr int callers = 50;
  auto const before = db.stats();
  {
    auto held = db.conn(ctx);  // so that they all come while somebody writes
    ASSERT_OK(held);
    sync::wait_group wg;
    for (int i = 0; i < callers; ++i) wg.go([&, i] { EXPECT_OK(add(i)); });
    testing::wait_until_parked(callers);
    EXPECT_EQ(db.stats().waiting, callers);
    {
      auto given_back = *std::move(held);
    }
    wg.wait();
  }
  auto const after = db.stats();
  EXPECT_EQ(count(), callers);
  EXPECT_EQ(after.transactions_total - before.transactions_total, callers);
  EXPECT_EQ(after.commits_total - before.commits_total, 1);
}

TEST_F(sqlite_db, a_group_is_no_larger_than_its_limit) {
  open({.group_max = 10, .group_time_max = 10min});
  auto const before = db.stats();
  auto held = db.conn(ctx);
  ASSERT_OK(held);
  sync::wait_group wg;
  for (int i = 0; i < 30; ++i) wg.go([&, i] { EXPECT_OK(add(i)); });
  testing::wait_until_parked(30);
  {
    auto given_back = *std::move(held);
  }
  wg.wait();
  EXPECT_EQ(db.stats().commits_total - before.commits_total, 3);
}

TEST_F(sqlite_db, a_failed_member_takes_only_its_own_changes_with_it) {
  ASSERT_OK(add(1000));
  auto const before = db.stats();
  auto held = db.conn(ctx);
  ASSERT_OK(held);
  sync::wait_group wg;
  internal::atomic<int> failed{0};
  for (int i = 0; i < 20; ++i) {
    wg.go([&, i] {
      error const err = db.write(ctx, [&](sql::tx& tx) -> error {
        VOLE_TRY(tx.exec(ctx, "insert into t (v) values ($1)", i), "own");
        return tx.exec(ctx, "insert into t (v) values ($1)", i % 2 == 0 ? 1000 : 100 + i).error();
      });
      if (err) failed.fetch_add(1);
      EXPECT_EQ(static_cast<bool>(err), i % 2 == 0) << err.message();
    });
  }
  testing::wait_until_parked(20);
  {
    auto given_back = *std::move(held);
  }
  wg.wait();
  EXPECT_EQ(failed.load(), 10);
  EXPECT_EQ(count(), 1 + 20);
  EXPECT_EQ(db.stats().transactions_total - before.transactions_total, 10);
  EXPECT_LE(db.stats().commits_total - before.commits_total, 2);  // the first may fail alone
}

TEST_F(sqlite_db, a_deferred_constraint_fails_its_own_member_only) {
  ASSERT_OK(db.exec(ctx,
                    "create table child (v bigint references t (v) deferrable initially "
                    "deferred)"));
  auto held = db.conn(ctx);
  ASSERT_OK(held);
  sync::wait_group wg;
  for (int i = 0; i < 9; ++i) {
    wg.go([&, i] {
      error const err = i == 4 ? db.exec(ctx, "insert into child values (77)").error() : add(i);
      EXPECT_EQ(static_cast<bool>(err), i == 4) << err.message();
      EXPECT_EQ(sql::foreign_key_violation(err), i == 4) << err.message();
    });
  }
  testing::wait_until_parked(9);
  {
    auto given_back = *std::move(held);
  }
  wg.wait();
  EXPECT_EQ(count(), 8);
}

// Runs two closures as members of one group: the first passes the open group on to the second.
TEST_F(sqlite_db, an_interrupted_member_does_not_cost_the_others_their_changes) {
  auto const [soon, cancel] = context::with_cancel(ctx);
  auto held = db.conn(ctx);
  ASSERT_OK(held);
  internal::atomic<int> runs{0};
  chan<error> first(1), second(1);
  go([&] {
    first.send(db.write(ctx, [&](sql::tx& tx) -> error {
      runs.fetch_add(1);
      return tx.exec(ctx, "insert into t (v) values (1)").error();
    }));
  });
  testing::wait_until_parked(1);
  go([&] {
    second.send(db.write(soon, [&](sql::tx& tx) -> error {
      VOLE_TRY(tx.exec(soon, "insert into t (v) values (2)"), "own");
      cancel();
      return tx
          .exec(soon,
                "insert into t (v) with recursive n(v) as (select 10 union all select v + 1 "
                "from n where v < 100000000) select v from n")
          .error();
    }));
  });
  testing::wait_until_parked(2);
  {
    auto given_back = *std::move(held);
  }
  auto const kept = first.recv(), lost = second.recv();
  EXPECT_OK(*kept);
  EXPECT_TRUE(errors::is(*lost, context::canceled)) << lost->message();
  EXPECT_EQ(count(), 1);
  EXPECT_GE(runs.load(), 1);
}

// A write that is first in line, and one behind it that is interrupted while it writes. Counts how
// often the first ran.
class sqlite_interrupted : public sqlite_db {
 protected:
  void write(sql::tx_options const& options) {
    auto const [soon, cancel] = context::with_cancel(ctx);
    auto held = db.conn(ctx);
    ASSERT_OK(held);
    chan<error> first(1), second(1);
    go([&] {
      first.send(db.write(ctx, options, [&](sql::tx& tx) -> error {
        runs.fetch_add(1);
        return tx.exec(ctx, "insert into t (v) values (1)").error();
      }));
    });
    testing::wait_until_parked(1);
    go([&] {
      second.send(db.write(soon, [&](sql::tx& tx) -> error {
        sync::wait_group by;
        by.go([&] {
          while (runtime::read_stats().blocking_calls == 0) runtime::yield();
          cancel();
        });
        error err =
            tx.exec(soon,
                    "insert into t (v) with recursive n(v) as (select 10 union all select v + 1 "
                    "from n where v < 1000000000) select v from n")
                .error();
        by.wait();
        return err;
      }));
    });
    testing::wait_until_parked(2);
    {
      auto given_back = *std::move(held);
    }
    auto const kept = first.recv(), lost = second.recv();
    EXPECT_OK(*kept);
    EXPECT_TRUE(errors::is(*lost, context::canceled)) << lost->message();
    EXPECT_EQ(count(), 1) << "what write() called a success";
    EXPECT_EQ(db.stats().cancels_total, 1);
  }

  internal::atomic<int> runs{0};
};

TEST_F(sqlite_interrupted, lets_the_others_run_again) {
  write({});
  EXPECT_EQ(runs.load(), 2);  // the interrupt took the whole transaction back
}

TEST_F(sqlite_interrupted, does_not_take_back_what_may_run_only_once) {
  write({.attempts_max = 1});
  EXPECT_EQ(runs.load(), 1);
}

// Another connection has the write lock; what finds it busy goes on where it was.
class sqlite_busy : public sqlite_db {
 protected:
  void SetUp() override {
    sqlite_db::SetUp();
    if (HasFatalFailure()) return;
    auto opened = sqlite::open(ctx, file());
    ASSERT_OK(opened);
    other = *std::move(opened);
    auto begun = other.begin(ctx);
    ASSERT_OK(begun);
    locked.emplace(*std::move(begun));
    ASSERT_OK(locked->exec(ctx, "insert into t (v) values (100)"));
  }
  void TearDown() override {
    locked.reset();
    if (other) EXPECT_OK(other.close(ctx));
    sqlite_db::TearDown();
  }

  sql::db other;
  std::optional<sql::tx> locked;
};

TEST_F(sqlite_busy, a_stream_keeps_its_arguments) {
  chan<std::int64_t> got(1);
  go([&] {
    auto conn = db.conn(ctx);
    ASSERT_OK(conn);
    auto rows = conn->stream(ctx, "insert into t (v) values ($1) returning v", 5);
    ASSERT_OK(rows);
    std::int64_t value = 0;
    EXPECT_OK(rows->each(ctx, [&](sql::row row) -> error {
      value = row.get<std::int64_t>(0).value_or(-1);
      return {};
    }));
    got.send(value);
  });
  testing::wait_until_parked(1);  // between two attempts
  ASSERT_OK(locked->commit(ctx));
  EXPECT_EQ(got.recv(), 5);
  EXPECT_EQ(count(), 2);
}

TEST_F(sqlite_busy, a_script_does_not_begin_anew) {
  chan<error> done(1);
  go([&] {
    auto conn = db.conn(ctx);
    ASSERT_OK(conn);
    done.send(conn->exec_script(ctx,
                                "create temp table own (v); insert into own values (7);"
                                "insert into t (v) select v from own"));
  });
  testing::wait_until_parked(1);
  ASSERT_OK(locked->commit(ctx));
  auto const err = done.recv();
  EXPECT_OK(*err);
  EXPECT_EQ(count(), 2);
}

TEST_F(sqlite_db, a_nul_byte_is_refused) {
  using namespace std::string_view_literals;
  auto conn = db.conn(ctx);
  ASSERT_OK(conn);
  error const script = conn->exec_script(ctx, "insert into t (v) values (1);\0"sv);
  EXPECT_NE(script.message().find("NUL byte"), std::string::npos) << script.message();
  auto const statement = conn->exec(ctx, "delete from t\0 where v = 1"sv);
  EXPECT_NE(statement.error().message().find("NUL byte"), std::string::npos);
}

TEST_F(sqlite_db, who_does_not_wait_for_the_groups_commit_does_not_know_its_outcome) {
  auto const [soon, cancel] = context::with_cancel(ctx);
  auto held = db.conn(ctx);
  ASSERT_OK(held);
  chan<error> first(1), second(1);
  chan<unit> go_on(0);
  go([&] {
    first.send(db.write(
        soon, [&](sql::tx& tx) { return tx.exec(ctx, "insert into t (v) values (1)").error(); }));
  });
  testing::wait_until_parked(1);
  go([&] {
    second.send(db.write(ctx, [&](sql::tx& tx) -> error {
      go_on.recv();
      return tx.exec(ctx, "insert into t (v) values (2)").error();
    }));
  });
  testing::wait_until_parked(2);
  {
    auto given_back = *std::move(held);
  }
  testing::wait_until_parked(2);  // one waits for the group, one inside its closure
  cancel();
  auto const unknown = first.recv();
  EXPECT_TRUE(errors::is(*unknown, sql::outcome_unknown)) << unknown->message();
  EXPECT_TRUE(errors::is(*unknown, context::canceled)) << unknown->message();
  go_on.send({});
  auto const kept = second.recv();
  EXPECT_OK(*kept);
  EXPECT_EQ(count(), 2);
}

// Commits stand in a hook until the test lets them go on: a disk that takes its time to sync.
class sqlite_slow_commit : public sqlite_db {
 protected:
  void SetUp() override {
    sqlite_db::SetUp();
    if (HasFatalFailure()) return;
    open({.hooks = {.done = [this](context const&, sql::event const& e) {
            if (e.operation == sql::operation::commit && slow.load()) go_on.recv();
          }}});
    slow.store(true);
  }
  // Leaves call(soon) while its commit is under way.
  void leave(std::function<error(context const&)> const& call) {
    auto [soon, cancel] = context::with_cancel(ctx);
    auto const before = testing::parked();
    chan<error> done(1);
    go([&, soon = soon] { done.send(call(soon)); });
    testing::wait_until_parked(before + 2);  // the caller, and the commit
    cancel();
    error const err = done.recv().value();
    EXPECT_TRUE(errors::is(err, sql::outcome_unknown)) << err.message();
    EXPECT_TRUE(errors::is(err, context::canceled)) << err.message();
    slow.store(false);
    go_on.close();
  }

  internal::atomic<bool> slow{false};
  chan<unit> go_on{0};
};

TEST_F(sqlite_slow_commit, lets_the_caller_of_write_go_and_is_done) {
  leave([&](context const& soon) { return db.exec(soon, "insert into t (v) values (1)").error(); });
  EXPECT_OK(add(2));
  EXPECT_EQ(count(), 2);
}

TEST_F(sqlite_db, a_waiting_writer_leaves_the_queue_when_its_context_ends) {
  auto held = db.conn(ctx);
  ASSERT_OK(held);
  auto const [soon, cancel] = context::with_cancel(ctx);
  chan<error> done(1);
  go([&, soon = soon] { done.send(db.exec(soon, "insert into t (v) values (1)").error()); });
  testing::wait_until_parked(1);
  cancel();
  EXPECT_EQ(done.recv().value().message(), "wait for the writer: context canceled");
  EXPECT_EQ(db.stats().waiting, 0);
  {
    auto given_back = *std::move(held);
  }
  EXPECT_OK(add(2));
}

TEST_F(sqlite_db, readers_do_not_wait_for_the_writer) {
  ASSERT_OK(add(1));
  auto tx = db.begin(ctx);
  ASSERT_OK(tx);
  ASSERT_OK(tx->exec(ctx, "insert into t (v) values (2)"));
  EXPECT_EQ(count(), 1);
  ASSERT_OK(tx->commit(ctx));
  EXPECT_EQ(count(), 2);
}

TEST_F(sqlite_db, readers_are_given_out_in_turn) {
  open({.readers_max = 1});
  ASSERT_OK(add(1));
  auto busy = db.begin(ctx, {.read_only = true});
  ASSERT_OK(busy);
  std::vector<int> order;
  sync::mutex mu;
  sync::wait_group wg;
  for (int i = 0; i < 5; ++i) {
    wg.go([&, i] {
      EXPECT_EQ(count(), 1);
      mu.lock();
      order.push_back(i);
      mu.unlock();
    });
    testing::wait_until_parked(static_cast<std::size_t>(i) + 1);
  }
  auto const [soon, cancel] = context::with_timeout(ctx, 5ms);
  EXPECT_EQ(db.ping(soon).message(),
            "wait for one of 1 connections (0 connecting): context deadline exceeded");
  ASSERT_OK(busy->rollback(ctx));
  wg.wait();
  EXPECT_EQ(order.size(), 5u);
}

TEST_F(sqlite_db, another_process_lock_is_waited_for_and_then_reported) {
  auto other = sqlite::open(ctx, file());
  ASSERT_OK(other);
  auto tx = other->begin(ctx);  // its writer holds the file's write lock
  ASSERT_OK(tx);
  open({.busy_timeout = 30ms});
  error const locked = add(1);
  EXPECT_TRUE(sql::retryable(locked)) << locked.message();
  EXPECT_EQ(locked.message(), "database is locked (SQLITE 5)");
  open({.busy_timeout = 1min});
  auto const [soon, cancel] = context::with_timeout(ctx, 20ms);
  error const late = db.exec(soon, "insert into t (v) values (1)").error();
  EXPECT_TRUE(errors::is(late, context::deadline_exceeded)) << late.message();
  chan<error> done(1);
  go([&] { done.send(add(2)); });
  testing::wait_until_parked(1);
  ASSERT_OK(tx->commit(ctx));
  auto const waited = done.recv();
  EXPECT_OK(*waited);
  ASSERT_OK(other->close(ctx));
}

TEST_F(sqlite_db, opening_says_what_is_wrong) {
  auto const opening = [&](std::string const& path) {
    return sqlite::open(ctx, path).error().message();
  };
  std::string const nowhere = folder + "/nowhere/test.db";
  EXPECT_EQ(opening(nowhere), "open " + nowhere + ": no such file or directory");
  std::ofstream(folder + "/junk") << std::string(5000, 'j');
  EXPECT_EQ(opening(folder + "/junk"),
            "open " + folder + "/junk: set journal_mode: file is not a database (SQLITE 26)");
  EXPECT_NE(opening(folder).find("open " + folder + ": "), std::string::npos) << opening(folder);
  for (auto const* memory : {"", ":memory:", "file:x?mode=memory"}) {
    EXPECT_NE(opening(memory).find("not the name of a file"), std::string::npos);
  }
}

TEST_F(sqlite_db, what_would_overflow_a_goroutines_stack_is_an_error) {
  chan<unit> done(0);
  go([&] {  // the stack of any goroutine
    std::string deep = "select 1";
    for (int i = 0; i < 3000; ++i) deep += " + (1";
    deep += std::string(3000, ')');
    EXPECT_FALSE(db.query(ctx, deep));
    std::string like;
    for (int i = 0; i < 20000; ++i) like += "%a";
    EXPECT_FALSE(db.query(ctx, "select $1 like $2", std::string(50000, 'a'), like));
    std::string compound = "select 1";
    for (int i = 0; i < 400; ++i) compound += " union select 1";
    EXPECT_FALSE(db.query(ctx, compound));
    std::string values = "select count(*) from (values (0)";
    for (int i = 1; i < 2000; ++i) values += ", (" + std::to_string(i) + ")";
    EXPECT_EQ(db.query_one<int>(ctx, values + ")").value(), 2000);
    std::string json = std::string(1900, '[') + std::string(1900, ']');
    EXPECT_EQ(db.query_one<int>(ctx, "select json_valid($1)", json).value(), 1);
    done.send({});
  });
  done.recv();
}

TEST_F(sqlite_db, vacuum_runs_on_a_connection_of_ones_own) {
  EXPECT_FALSE(db.exec(ctx, "vacuum"));
  auto conn = db.conn(ctx);
  ASSERT_OK(conn);
  EXPECT_OK(conn->exec(ctx, "vacuum"));
}

TEST_F(sqlite_db, placeholders_of_another_kind_are_refused) {
  EXPECT_EQ(db.query(ctx, "select ?", 1).error().message(), "the placeholder ? is not $1, $2, ...");
  EXPECT_EQ(db.query(ctx, "select :name", 1).error().message(),
            "the placeholder :name is not $1, $2, ...");
  EXPECT_EQ(db.query(ctx, "select $1, $2", 1).error().message(),
            "the statement takes 2 arguments, and 1 were given");
}

TEST_F(sqlite_db, many_writers_and_readers_at_once) {
  constexpr int writers = 20, rounds = 20;
  sync::wait_group wg;
  for (int w = 0; w < writers; ++w) {
    wg.go([&, w] {
      for (int i = 0; i < rounds; ++i) {
        EXPECT_OK(db.write(ctx, [&](sql::tx& tx) -> error {
          VOLE_TRY(tx.exec(ctx, "insert into t (v, w) values ($1, 'one')", w * 1000 + i), "one");
          VOLE_TRY(tx.exec(ctx, "insert into t (v, w) values ($1, 'two')", -w * 1000 - i - 1),
                   "two");
          return {};
        }));
      }
    });
    wg.go([&] {
      for (int i = 0; i < rounds; ++i) {
        auto const even = db.query_one<bool>(ctx, "select count(*) % 2 = 0 from t");
        EXPECT_OK(even);
        EXPECT_TRUE(even.value_or(true));  // never half of a transaction
      }
    });
  }
  wg.wait();
  EXPECT_EQ(count(), 2 * writers * rounds);
  EXPECT_LE(db.stats().commits_total, db.stats().transactions_total);
}

}  // namespace
}  // namespace vole::sql_test
