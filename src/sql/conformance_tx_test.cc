// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

#include "vole/chan.h"
#include "vole/go.h"
#include "vole/sync.h"
#include "vole/testing.h"

#include "sql/conformance.h"

namespace vole::sql_test {
namespace {

using namespace std::chrono_literals;

class sql_tx : public conformance {
 protected:
  void SetUp() override {
    conformance::SetUp();
    if (!IsSkipped()) make_users();
  }
};

TEST_F(sql_tx, a_taken_key_is_a_unique_violation_that_names_its_constraint) {
  ASSERT_OK(add_user(db, 1, "a"));
  error const by_email = add_user(db, 2, "a");
  EXPECT_TRUE(sql::unique_violation(by_email)) << by_email.message();
  EXPECT_NE(sql::constraint_of(by_email).find("email"), std::string_view::npos)
      << sql::constraint_of(by_email);
  EXPECT_TRUE(sql::unique_violation(errors::wrap(add_user(db, 1, "b"), "add the user")));
  EXPECT_FALSE(sql::check_violation(by_email));
  EXPECT_EQ(count_users(), 1);
}

TEST_F(sql_tx, other_constraints_are_told_apart) {
  run("create table orders (id bigint primary key, user_id bigint not null references users (id))");
  error const unknown = db.exec(ctx, "insert into orders values (1, 99)").error();
  EXPECT_TRUE(sql::foreign_key_violation(unknown)) << unknown.message();
  error const below = db.exec(ctx, "insert into users values (1, 'a', -1)").error();
  EXPECT_TRUE(sql::check_violation(below)) << below.message();
  error const missing = db.exec(ctx, "insert into users (id) values (1)").error();
  EXPECT_TRUE(sql::not_null_violation(missing)) << missing.message();
  EXPECT_FALSE(sql::unique_violation(missing));
  EXPECT_FALSE(sql::unique_violation(error()));
  EXPECT_EQ(count_users(), 0);
}

TEST_F(sql_tx, write_commits_what_its_closure_did) {
  ASSERT_OK(db.write(ctx, [&](sql::tx& tx) -> error {
    VOLE_TRY(add_user(tx, 1, "a"), "first");
    VOLE_TRY(add_user(tx, 2, "b"), "second");
    return {};
  }));
  EXPECT_EQ(count_users(), 2);
  EXPECT_GE(db.stats().transactions_total, 1);
}

TEST_F(sql_tx, write_gives_the_closures_result) {
  auto const id = db.write(ctx, [&](sql::tx& tx) -> result<std::int64_t> {
    VOLE_TRY(add_user(tx, 7, "seven"), "add");
    return tx.query_one<std::int64_t>(ctx, "select id from users where email = $1", "seven");
  });
  ASSERT_OK(id);
  EXPECT_EQ(*id, 7);
}

TEST_F(sql_tx, an_error_of_the_closure_rolls_back_and_comes_out_as_it_is) {
  static constinit errors::sentinel too_poor{"too poor"};
  error const err = db.write(ctx, [&](sql::tx& tx) -> error {
    VOLE_TRY(add_user(tx, 1, "a"), "add");
    return too_poor;
  });
  EXPECT_TRUE(err == error(too_poor)) << err.message();
  EXPECT_EQ(count_users(), 0);
  auto const r = db.write(ctx, [&](sql::tx& tx) -> result<int> {
    VOLE_TRY(add_user(tx, 1, "a"), "add");
    return error(too_poor);
  });
  EXPECT_TRUE(r.error() == error(too_poor));
  EXPECT_EQ(count_users(), 0);
}

TEST_F(sql_tx, a_closure_that_swallows_a_failed_statement_does_not_commit) {
  ASSERT_OK(add_user(db, 1, "a"));
  error const err = db.write(ctx, [&](sql::tx& tx) -> error {
    static_cast<void>(add_user(tx, 2, "b"));
    static_cast<void>(add_user(tx, 3, "a"));
    return {};
  });
  EXPECT_TRUE(err);
  EXPECT_EQ(count_users(), 1);
}

TEST_F(sql_tx, after_a_failed_statement_only_a_rollback_works) {
  auto tx = db.begin(ctx);
  ASSERT_OK(tx);
  ASSERT_OK(add_user(*tx, 1, "a"));
  EXPECT_TRUE(add_user(*tx, 2, "a"));
  error const next = add_user(*tx, 3, "c");
  EXPECT_NE(next.message().find("the transaction has failed"), std::string::npos) << next.message();
  EXPECT_TRUE(tx->commit(ctx));
  EXPECT_OK(tx->rollback(ctx));
  EXPECT_EQ(count_users(), 0);
}

TEST_F(sql_tx, a_savepoint_takes_back_its_part_only) {
  ASSERT_OK(db.write(ctx, [&](sql::tx& tx) -> error {
    VOLE_TRY(add_user(tx, 1, "a"), "outer");
    error const inner = tx.savepoint(ctx, [&](sql::tx& in) -> error {
      VOLE_TRY(add_user(in, 2, "b"), "inner");
      VOLE_TRY(in.savepoint(ctx, [&](sql::tx& deep) { return add_user(deep, 3, "c"); }), "deep");
      return add_user(in, 4, "a").message() == "" ? error() : errors::make("taken");
    });
    EXPECT_EQ(inner.message(), "taken");
    VOLE_TRY(tx.savepoint(ctx, [&](sql::tx& in) { return add_user(in, 5, "e"); }), "kept");
    return {};
  }));
  auto const ids = db.query_all<std::int64_t>(ctx, "select id from users order by id");
  ASSERT_OK(ids);
  EXPECT_EQ(*ids, (std::vector<std::int64_t>{1, 5}));
}

TEST_F(sql_tx, begin_commit_and_rollback_do_what_they_say) {
  auto kept = db.begin(ctx);
  ASSERT_OK(kept);
  ASSERT_OK(add_user(*kept, 1, "a"));
  EXPECT_EQ(kept->query_one<std::int64_t>(ctx, "select count(*) from users").value(), 1);
  EXPECT_EQ(count_users(), 0);  // others do not see it yet
  ASSERT_OK(kept->commit(ctx));
  EXPECT_TRUE(kept->commit(ctx));
  EXPECT_FALSE(kept->rollback(ctx));
  EXPECT_TRUE(add_user(*kept, 9, "z"));
  EXPECT_EQ(count_users(), 1);
  auto dropped = db.begin(ctx);
  ASSERT_OK(dropped);
  ASSERT_OK(add_user(*dropped, 2, "b"));
  ASSERT_OK(dropped->rollback(ctx));
  EXPECT_EQ(count_users(), 1);
  auto empty = db.begin(ctx);
  ASSERT_OK(empty);
  EXPECT_OK(empty->commit(ctx));
}

TEST_F(sql_tx, a_transaction_that_is_dropped_is_rolled_back) {
  {
    auto tx = db.begin(ctx);
    ASSERT_OK(tx);
    ASSERT_OK(add_user(*tx, 1, "a"));
  }
  ASSERT_OK(add_user(db, 1, "a"));  // its locks are gone
  auto conn = db.conn(ctx);
  ASSERT_OK(conn);
  {
    auto tx = conn->begin(ctx);
    ASSERT_OK(tx);
    ASSERT_OK(add_user(*tx, 2, "b"));
  }
  auto const n = conn->query_one<std::int64_t>(ctx, "select count(*) from users");
  ASSERT_OK(n);
  EXPECT_EQ(*n, 1);
}

TEST_F(sql_tx, an_exception_of_the_closure_rolls_back_and_goes_through) {
  EXPECT_THROW(static_cast<void>(db.write(ctx,
                                          [&](sql::tx& tx) -> error {
                                            static_cast<void>(add_user(tx, 1, "a"));
                                            throw std::runtime_error("foreign");
                                          })),
               std::runtime_error);
  ASSERT_OK(add_user(db, 2, "b"));
  EXPECT_EQ(count_users(), 1);
}

TEST_F(sql_tx, read_sees_one_snapshot_and_cannot_write) {
  ASSERT_OK(add_user(db, 1, "a"));
  ASSERT_OK(db.read(ctx, [&](sql::tx& tx) -> error {
    auto const before = tx.query_one<std::int64_t>(ctx, "select count(*) from users");
    EXPECT_EQ(*before, 1);
    EXPECT_OK(add_user(db, 2, "b"));
    auto const after = tx.query_one<std::int64_t>(ctx, "select count(*) from users");
    EXPECT_EQ(*after, 1);
    return {};
  }));
  error const refused = db.read(ctx, [&](sql::tx& tx) { return add_user(tx, 3, "c"); });
  EXPECT_TRUE(refused);
  EXPECT_EQ(count_users(), 2);
}

TEST_F(sql_tx, concurrent_increments_are_not_lost) {
  ASSERT_OK(db.exec(ctx, "insert into users (id, email, qty) values (1, 'a', 0)"));
  constexpr int goroutines = 16, rounds = 10;
  sync::wait_group wg;
  for (int g = 0; g < goroutines; ++g) {
    wg.go([&] {
      for (int i = 0; i < rounds; ++i) {
        EXPECT_OK(db.write(ctx, [&](sql::tx& tx) -> error {
          auto const qty = VOLE_TRY(
              tx.query_one<std::int64_t>(ctx, db.dialect() == sql::dialect::postgres
                                                  ? "select qty from users where id = 1 for update"
                                                  : "select qty from users where id = 1"),
              "read");
          VOLE_TRY(tx.exec(ctx, "update users set qty = $1 where id = 1", qty + 1), "write");
          return {};
        }));
      }
    });
  }
  wg.wait();
  EXPECT_EQ(db.query_one<std::int64_t>(ctx, "select qty from users").value(), goroutines * rounds);
  auto const stats = db.stats();
  EXPECT_GE(stats.transactions_total, goroutines * rounds);
  EXPECT_LE(stats.commits_total, stats.transactions_total);
}

TEST_F(sql_tx, some_fail_among_many_and_only_those) {
  constexpr int goroutines = 40;
  sync::wait_group wg;
  internal::atomic<int> taken{0};
  for (int g = 0; g < goroutines; ++g) {
    wg.go([&, g] {
      error const err = db.write(ctx, [&](sql::tx& tx) -> error {
        VOLE_TRY(tx.exec(ctx, "insert into users (id, email) values ($1, $2)", 1000 + g,
                         "twin" + std::to_string(g)),
                 "first");
        return add_user(tx, g, "user" + std::to_string(g / 2));
      });
      if (!err) return;
      EXPECT_TRUE(sql::unique_violation(err)) << err.message();
      taken.fetch_add(1);
    });
  }
  wg.wait();
  EXPECT_EQ(taken.load(), goroutines / 2);
  EXPECT_EQ(count_users(), goroutines);
}

TEST_F(sql_tx, methods_that_do_not_belong_into_a_closure_are_refused) {
  ASSERT_OK(db.write(ctx, [&](sql::tx& tx) -> error {
    EXPECT_TRUE(tx.commit(ctx));
    EXPECT_TRUE(tx.rollback(ctx));
    EXPECT_FALSE(tx.stream(ctx, "select id from users"));
    return add_user(tx, 1, "a");
  }));
  EXPECT_EQ(count_users(), 1);
}

TEST_F(sql_tx, a_stream_of_a_transaction_keeps_other_statements_out) {
  ASSERT_OK(db.exec(ctx, "insert into users (id, email) values (1, 'a'), (2, 'b')"));
  auto tx = db.begin(ctx);
  ASSERT_OK(tx);
  {
    auto rows = tx->stream(ctx, "select id from users order by id");
    ASSERT_OK(rows);
    ASSERT_TRUE(rows->next(ctx));
    EXPECT_TRUE(add_user(*tx, 3, "c"));
    EXPECT_TRUE(tx->commit(ctx));
  }
  EXPECT_OK(add_user(*tx, 3, "c"));
  EXPECT_OK(tx->commit(ctx));
  EXPECT_EQ(count_users(), 3);
}

TEST_F(sql_tx, a_stream_that_outlives_its_transaction_says_so) {
  ASSERT_OK(db.exec(ctx, "insert into users (id, email) values (1, 'a'), (2, 'b')"));
  sql::rows left;
  {
    auto tx = db.begin(ctx);
    ASSERT_OK(tx);
    auto rows = tx->stream(ctx,
                           "with recursive n(v) as (select 1 union all select v + 1 from n "
                           "where v < 50000) select v from n");
    ASSERT_OK(rows);
    left = *std::move(rows);
  }
  int seen = 0;
  while (left.next(ctx)) ++seen;
  EXPECT_LT(seen, 50000);
  EXPECT_TRUE(left.err());
}

TEST_F(sql_tx, scripts_run_many_statements_and_take_none_of_the_transaction) {
  auto conn = db.conn(ctx);
  ASSERT_OK(conn);
  ASSERT_OK(conn->exec_script(ctx,
                              "insert into users (id, email) values (1, 'a;b'); -- one; two\n"
                              "insert into users (id, email) values (2, 'c');"));
  auto tx = conn->begin(ctx);
  ASSERT_OK(tx);
  EXPECT_TRUE(tx->exec_script(ctx, "insert into users (id, email) values (3, 'd'); commit;"));
  static_cast<void>(tx->rollback(ctx));
  auto half = conn->begin(ctx);
  ASSERT_OK(half);
  EXPECT_TRUE(
      half->exec_script(ctx, "commit; begin; insert into users (id, email) values (4, 'e')"));
  static_cast<void>(half->rollback(ctx));
  auto again = conn->begin(ctx);
  ASSERT_OK(again);
  EXPECT_TRUE(again->exec_script(ctx, "insert into users (id, email) values (5, 'x'); nonsense"));
  ASSERT_OK(again->rollback(ctx));
}

TEST_F(sql_tx, a_context_that_ends_in_the_closure_rolls_back) {
  auto const [soon, cancel] = context::with_cancel(ctx);
  error const err = db.write(soon, [&](sql::tx& tx) -> error {
    VOLE_TRY(tx.exec(soon, "insert into users (id, email) values (1, 'a')"), "add");
    cancel();
    return tx.exec(soon, "insert into users (id, email) values (2, 'b')").error();
  });
  EXPECT_TRUE(errors::is(err, context::canceled)) << err.message();
  ASSERT_OK(add_user(db, 1, "a"));
  EXPECT_EQ(count_users(), 1);
}

TEST_F(sql_tx, hooks_see_every_operation_and_its_error) {
  std::vector<std::string> seen;
  sync::mutex mu;
  auto watched = open_empty({.done = [&](context const&, sql::event const& e) {
    mu.lock();
    if (e.operation != sql::operation::connect && e.operation != sql::operation::acquire) {
      seen.push_back(
          fmt::format("{} {}{}", sql::name_of(e.operation), e.rows, e.err ? " failed" : ""));
    }
    EXPECT_GE(e.took, duration(0));
    mu.unlock();
  }});
  ASSERT_OK(watched);
  ASSERT_OK(watched->exec(ctx, "create table t (v bigint)"));
  seen.clear();
  ASSERT_OK(watched->write(ctx, [&](sql::tx& tx) -> error {
    VOLE_TRY(tx.exec(ctx, "insert into t values (1), (2)"), "insert");
    return tx.query(ctx, "select v from t").error();
  }));
  EXPECT_FALSE(watched->query(ctx, "select nothing from t"));
  ASSERT_OK(watched->close(ctx));
  std::erase_if(seen, [](std::string const& s) { return s.starts_with("begin"); });
  ASSERT_EQ(seen.size(), 4u);
  EXPECT_EQ(seen[0], "exec 2");
  EXPECT_EQ(seen[1], "query 2");
  EXPECT_TRUE(seen[2].starts_with("commit")) << seen[2];
  EXPECT_EQ(seen[3], "query 0 failed");
}

TEST_F(sql_tx, close_waits_for_what_is_out_and_refuses_what_comes_later) {
  auto tx = db.begin(ctx);
  ASSERT_OK(tx);
  ASSERT_OK(add_user(*tx, 1, "a"));
  auto const [soon, cancel] = context::with_timeout(ctx, 20ms);
  error const early = db.close(soon);
  EXPECT_TRUE(errors::is(early, context::deadline_exceeded)) << early.message();
  chan<error> closed(1);
  go([&] { closed.send(db.close(ctx)); });
  ASSERT_OK(tx->commit(ctx));
  auto const ended = closed.recv();
  EXPECT_OK(*ended);
  EXPECT_TRUE(errors::is(db.exec(ctx, "select 1").error(), sql::closed));
  EXPECT_TRUE(errors::is(add_user(db, 2, "b"), sql::closed));
  EXPECT_TRUE(errors::is(db.begin(ctx).error(), sql::closed));
  auto again = open_again();
  ASSERT_OK(again);
  EXPECT_EQ(again->query_one<std::int64_t>(ctx, "select count(*) from users").value(), 1);
  ASSERT_OK(again->close(ctx));
}

TEST_F(sql_tx, two_handles_on_one_database_see_each_others_commits) {
  auto other = open_again();
  ASSERT_OK(other);
  ASSERT_OK(add_user(db, 1, "a"));
  EXPECT_EQ(other->query_one<std::int64_t>(ctx, "select count(*) from users").value(), 1);
  ASSERT_OK(add_user(*other, 2, "b"));
  EXPECT_EQ(count_users(), 2);
  ASSERT_OK(other->close(ctx));
}

}  // namespace
}  // namespace vole::sql_test
