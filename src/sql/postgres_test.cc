// SPDX-License-Identifier: Apache-2.0
#include "vole/sql/postgres.h"

#include <chrono>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <vector>

#include "vole/chan.h"
#include "vole/go.h"
#include "vole/sql/migrate.h"
#include "vole/sync.h"
#include "vole/testing.h"

#include "sql/conformance.h"
#include "sql/postgres_conn.h"
#include "sql/postgres_connect.h"
#include "sql/postgres_for_test.h"

namespace vole::sql_test {
namespace {

using namespace std::chrono_literals;

// A table for each test, on one connection unless the test says otherwise.
class postgres_db : public ::testing::Test {
 protected:
  void SetUp() override {
    if (std::string const why = testing::postgres_server::missing(); !why.empty()) {
      GTEST_SKIP() << why;
    }
    open({.open_max = 1});
    ASSERT_OK(db.exec(ctx, "drop table if exists t"));
    ASSERT_OK(db.exec(ctx, "create table t (v bigint primary key, w text)"));
  }
  void TearDown() override {
    if (db) EXPECT_OK(db.close(ctx));
  }
  void open(postgres::pool_options options) {
    if (db) ASSERT_OK(db.close(ctx));
    auto opened = postgres::open(ctx, server().url(), std::move(options));
    ASSERT_OK(opened);
    db = *std::move(opened);
  }
  std::int64_t count() { return db.query_one<std::int64_t>(ctx, "select count(*) from t").value(); }
  // How many of this database's sessions run a statement that contains the text, as another session
  // sees it.
  std::int64_t running(std::string_view text) {
    auto other = postgres::open(ctx, server().url(), {.open_max = 1});
    if (!other) return -1;
    auto const n = other->query_one<std::int64_t>(
        ctx,
        "select count(*) from pg_stat_activity where state = 'active' and pid <> pg_backend_pid() "
        "and position($1 in query) > 0",
        text);
    EXPECT_OK(other->close(ctx));
    return n.value_or(-1);
  }

  context const ctx;
  sql::db db;
};

TEST_F(postgres_db, rows_of_many_sizes_arrive_whole_in_one_burst) {
  for (std::int64_t size = 1; size <= (4 << 20); size = size * 5 / 2 + 1) {
    auto const got = db.query_one<std::string, std::int64_t>(
        ctx, "select repeat('x', cast($1 as int)), cast($1 as bigint)", size);
    ASSERT_OK(got);
    EXPECT_EQ(std::get<0>(*got).size(), static_cast<std::size_t>(size));
  }
  for (int i = 0; i < 50; ++i) {
    auto const row = db.query_one<std::string>(ctx, "select repeat('y', 1048576)");
    ASSERT_OK(row);
    ASSERT_EQ(row->size(), 1u << 20);
  }
}

TEST_F(postgres_db, an_argument_larger_than_the_sockets_buffers_is_sent) {
  std::string const large(16 << 20, 'z');
  EXPECT_EQ(db.query_one<std::int64_t>(ctx, "select length($1)::bigint", large).value(), 16 << 20);
}

TEST_F(postgres_db, types_without_a_kind_of_their_own_read_as_text) {
  auto const got = db.query_one<std::string_view, std::string, std::string, std::string>(
      ctx,
      "select '{\"a\": 1}'::jsonb, '2024-02-29'::date, "
      "'8f14e45f-ceea-4a5b-8a5c-000000000000'::uuid, array[1,2]");
  EXPECT_OK(got);
  auto const number =
      db.query(ctx, "select 12.50::numeric(10,2), 7::numeric, 2.5::float4, 3::int2");
  ASSERT_OK(number);
  sql::row const row = (*number)[0];
  EXPECT_EQ(*row.get<std::string>(0), "12.50");
  EXPECT_EQ(row.get<std::int64_t>(0).error().message(),
            "column 0 (numeric) is 12.50, which is no 64-bit integer");
  EXPECT_EQ(*row.get<double>(0), 12.5);
  EXPECT_EQ(*row.get<std::int64_t>(1), 7);
  EXPECT_EQ(*row.get<double>(2), 2.5);
  EXPECT_EQ(*row.get<std::int16_t>(3), 3);
}

TEST_F(postgres_db, an_error_of_the_server_has_all_its_fields) {
  ASSERT_OK(db.exec(ctx, "insert into t values (1)"));
  error const err = db.exec(ctx, "insert into t values (1)").error();
  auto const* pg = errors::as<postgres::pg_error>(err);
  ASSERT_NE(pg, nullptr) << err.message();
  EXPECT_EQ(pg->code, "23505");
  EXPECT_EQ(pg->severity, "ERROR");
  EXPECT_EQ(pg->constraint, "t_pkey");
  EXPECT_EQ(pg->table, "t");
  EXPECT_EQ(pg->detail, "Key (v)=(1) already exists.");
  EXPECT_EQ(err.message(),
            "duplicate key value violates unique constraint \"t_pkey\" (SQLSTATE 23505)");
  error const syntax = db.query(ctx, "select 1 frm t").error();
  auto const* at = errors::as<postgres::pg_error>(syntax);
  ASSERT_NE(at, nullptr);
  EXPECT_EQ(at->code, "42601");
  EXPECT_EQ(at->position, 14);
}

TEST_F(postgres_db, a_canceled_caller_returns_while_the_connection_is_made_fit_again) {
  auto const [soon, cancel] = context::with_cancel(ctx);
  chan<error> done(1);
  go([&, soon = soon] { done.send(db.query(soon, "select pg_sleep(600)").error()); });
  while (running("pg_sleep(600)") != 1) time::sleep(1ms);
  cancel();
  auto const err = done.recv();
  EXPECT_TRUE(errors::is(*err, context::canceled)) << err->message();
  EXPECT_FALSE(errors::is(*err, sql::outcome_unknown));  // a SELECT
  // With one connection this waits for the end of the quarantine.
  EXPECT_OK(db.ping(ctx));
  EXPECT_EQ(running("pg_sleep(600)"), 0);
  auto const stats = db.stats();
  EXPECT_EQ(stats.connects_total, 1);
  EXPECT_EQ(stats.cancels_total, 1);
}

TEST_F(postgres_db, a_canceled_statement_that_writes_has_an_unknown_outcome) {
  auto const [soon, cancel] = context::with_cancel(ctx);
  chan<error> done(1);
  go([&, soon = soon] {
    done.send(
        db.exec(soon, "insert into t select 1 from pg_sleep(600) s where s is not null").error());
  });
  while (running("from pg_sleep(600) s") != 1) time::sleep(1ms);
  cancel();
  error const err = done.recv().value();
  EXPECT_TRUE(errors::is(err, sql::outcome_unknown)) << err.message();
  EXPECT_TRUE(errors::is(err, context::canceled)) << err.message();
  EXPECT_EQ(count(), 0);
}

TEST_F(postgres_db, a_deadline_inside_a_transaction_rolls_it_back) {
  auto const [soon, cancel] = context::with_timeout(ctx, 50ms);
  error const err = db.write(soon, [&](sql::tx& tx) -> error {
    VOLE_TRY(tx.exec(soon, "insert into t values (1)"), "insert");
    return tx.query(soon, "select pg_sleep(600)").error();
  });
  EXPECT_TRUE(errors::is(err, context::deadline_exceeded)) << err.message();
  EXPECT_FALSE(errors::is(err, sql::outcome_unknown)) << err.message();
  EXPECT_EQ(count(), 0);
}

TEST_F(postgres_db, a_commit_without_an_answer_has_an_unknown_outcome) {
  ASSERT_OK(db.exec(ctx,
                    "create or replace function slow_commit() returns trigger language plpgsql "
                    "as $$ begin perform pg_advisory_xact_lock(77); return null; end $$"));
  ASSERT_OK(db.exec(ctx,
                    "create constraint trigger slow after insert on t deferrable initially "
                    "deferred for each row execute function slow_commit()"));
  auto other = postgres::open(ctx, server().url(), {.open_max = 1});
  ASSERT_OK(other);
  ASSERT_OK(other->exec(ctx, "select pg_advisory_lock(77)"));
  auto const [soon, cancel] = context::with_cancel(ctx);
  chan<error> done(1);
  go([&, soon = soon] {
    done.send(db.write(
        soon, [&](sql::tx& tx) { return tx.exec(soon, "insert into t values (1)").error(); }));
  });
  while (running("COMMIT") != 1) time::sleep(1ms);
  cancel();
  error const err = done.recv().value();
  EXPECT_TRUE(errors::is(err, sql::outcome_unknown)) << err.message();
  EXPECT_TRUE(errors::is(err, context::canceled)) << err.message();
  ASSERT_OK(other->exec(ctx, "select pg_advisory_unlock(77)"));
  while (running("COMMIT") != 0) time::sleep(1ms);
  EXPECT_EQ(count(), 1);  // it was not canceled, and was done
  EXPECT_OK(other->close(ctx));
  ASSERT_OK(db.exec(ctx, "drop trigger slow on t"));
}

TEST_F(postgres_db, a_deadline_is_the_servers_statement_timeout_too) {
  auto const timeout_under = [&](context const& bounded) {
    auto const got =
        db.query_one<std::string>(bounded, "select current_setting('statement_timeout')");
    EXPECT_OK(got);
    return got.value_or("");
  };
  std::string const own = timeout_under(ctx);
  auto const [soon, cancel] = context::with_timeout(ctx, 16s);
  EXPECT_EQ(timeout_under(soon), "16384ms");
  EXPECT_EQ(timeout_under(ctx), own);
  std::string least;
  while (least.empty()) {  // until it is answered in time
    auto const [brief, cancel_brief] = context::with_timeout(ctx, 500ms);
    least = db.query_one<std::string>(brief, "select current_setting('statement_timeout')")
                .value_or("");
  }
  EXPECT_EQ(least, "1024ms");
  auto const [late, cancel_late] = context::with_timeout(ctx, 1h);
  EXPECT_EQ(timeout_under(late), own) << "farther off than statement_timeout_max";
  // What a rollback takes back is known to be gone.
  error const boom = errors::make("boom");
  EXPECT_EQ(db.write(soon,
                     [&](sql::tx& tx) -> error {
                       VOLE_TRY(tx.exec(soon, "insert into t values (1)"), "insert");
                       return boom;
                     }),
            boom);
  EXPECT_EQ(timeout_under(soon), "16384ms");
  EXPECT_FALSE(db.query(soon, "select 1 / 0"));
  EXPECT_EQ(timeout_under(ctx), own);
  // What must stand alone in its request does, and is not bounded.
  EXPECT_EQ(timeout_under(soon), "16384ms");
  EXPECT_OK(db.exec(soon, "vacuum t"));
  open({.open_max = 1, .statement_timeout_max = 0s});
  EXPECT_EQ(timeout_under(soon), own);
}

// A statement that ends its own connection the first time it runs.
constexpr std::string_view dies_once =
    "select case when nextval('runs') = 1 then pg_terminate_backend(pg_backend_pid())::text || "
    "pg_sleep(600)::text else 'alive' end";

TEST_F(postgres_db, a_read_is_made_once_more_when_its_connection_was_broken) {
  ASSERT_OK(db.exec(ctx, "drop sequence if exists runs"));
  ASSERT_OK(db.exec(ctx, "create sequence runs"));
  EXPECT_EQ(db.query_one<std::string>(ctx, dies_once).value_or("lost"), "alive");
  ASSERT_OK(db.exec(ctx, "alter sequence runs restart"));
  auto rows = db.stream(ctx, dies_once);
  ASSERT_OK(rows);
  EXPECT_TRUE(rows->next(ctx));
  EXPECT_FALSE(rows->next(ctx));
  // What changes data is not sent again, nor is a statement inside of a transaction.
  ASSERT_OK(db.exec(ctx, "alter sequence runs restart"));
  std::string const writes = fmt::format("insert into t (v, w) select 1, ({})", dies_once);
  error const err = db.exec(ctx, writes).error();
  EXPECT_TRUE(errors::is(err, sql::outcome_unknown)) << err.message();
  EXPECT_EQ(count(), 0);
  ASSERT_OK(db.exec(ctx, "alter sequence runs restart"));
  auto tx = db.begin(ctx);
  ASSERT_OK(tx);
  error const inside = tx->query(ctx, dies_once).error();
  EXPECT_TRUE(errors::is(inside, sql::connection_lost)) << inside.message();
  EXPECT_TRUE(sql::unavailable(inside));
}

TEST_F(postgres_db, a_server_that_cannot_be_reached_is_unavailable) {
  auto const refused = postgres::open(ctx, "postgres://postgres@127.0.0.1:1/postgres");
  EXPECT_TRUE(sql::unavailable(refused.error())) << refused.error().message();
  EXPECT_TRUE(errors::is(refused.error(), sql::unreachable));
  EXPECT_EQ(refused.error().message(), "connect to 127.0.0.1:1: connection refused");
  EXPECT_FALSE(sql::unavailable(db.query(ctx, "select 1/0").error()));
  ASSERT_OK(db.close(ctx));
  EXPECT_FALSE(sql::unavailable(db.ping(ctx)));
  db = {};
}

TEST_F(postgres_db, a_role_that_may_create_nothing_starts_when_nothing_is_pending) {
  std::vector<sql::migration> const list = {{1, "one", "create table migrated (id bigint)"}};
  ASSERT_OK(sql::migrate(ctx, db, list));
  ASSERT_OK(db.exec(ctx, "revoke create on schema public from public"));
  ASSERT_OK(db.exec(ctx, "create role modest login"));
  ASSERT_OK(db.exec(ctx, "grant select on schema_migrations to modest"));
  std::string url = server().url();
  url.replace(url.find("postgres@"), 8, "modest");
  auto modest = postgres::open(ctx, url, {.open_max = 1});
  ASSERT_OK(modest);
  EXPECT_OK(sql::migrate(ctx, *modest, list));
  ASSERT_OK(modest->close(ctx));
  ASSERT_OK(db.exec(ctx, "drop table schema_migrations, migrated"));
  ASSERT_OK(db.exec(ctx, "drop role modest"));
}

TEST_F(postgres_db, a_backend_that_is_terminated_loses_its_connection_and_no_more) {
  open({.open_max = 2});
  auto victim = db.conn(ctx);
  ASSERT_OK(victim);
  auto const pid = victim->query_one<std::int64_t>(ctx, "select pg_backend_pid()");
  ASSERT_OK(pid);
  chan<error> done(1);
  go([&] { done.send(victim->query(ctx, "select pg_sleep(600)").error()); });
  while (running("pg_sleep(600)") != 1) time::sleep(1ms);
  ASSERT_OK(db.query(ctx, "select pg_terminate_backend($1)", *pid));
  auto const err = done.recv();
  EXPECT_TRUE(errors::is(*err, sql::connection_lost)) << err->message();
  auto const* pg = errors::as<postgres::pg_error>(*err);
  ASSERT_NE(pg, nullptr) << err->message();
  EXPECT_EQ(pg->code, "57P01");
  EXPECT_TRUE(errors::is(victim->query(ctx, "select 1").error(), sql::connection_lost));
  {
    auto given_back = *std::move(victim);
  }
  for (int i = 0; i < 5; ++i) EXPECT_OK(db.ping(ctx));
}

TEST_F(postgres_db, write_runs_again_when_its_connection_broke_before_the_commit) {
  open({.open_max = 2});
  int runs = 0;
  error const err = db.write(ctx, [&](sql::tx& tx) -> error {
    VOLE_TRY(tx.exec(ctx, "insert into t values (1)"), "insert");
    if (++runs > 1) return {};
    auto const pid = VOLE_TRY(tx.query_one<std::int64_t>(ctx, "select pg_backend_pid()"), "pid");
    VOLE_TRY(db.exec(ctx, "select pg_terminate_backend($1)", pid), "terminate");
    return tx.query(ctx, "select pg_sleep(600)").error();
  });
  EXPECT_FALSE(err) << err.message();
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(count(), 1);
}

TEST_F(postgres_db, an_insert_whose_connection_broke_has_an_unknown_outcome) {
  open({.open_max = 2});
  auto conn = db.conn(ctx);
  ASSERT_OK(conn);
  auto const pid = conn->query_one<std::int64_t>(ctx, "select pg_backend_pid()");
  chan<error> done(1);
  go([&] { done.send(conn->exec(ctx, "insert into t select 1 from pg_sleep(600)").error()); });
  while (running("from pg_sleep(600)") != 1) time::sleep(1ms);
  ASSERT_OK(db.query(ctx, "select pg_terminate_backend($1)", *pid));
  auto const err = done.recv();
  EXPECT_TRUE(errors::is(*err, sql::outcome_unknown)) << err->message();
  EXPECT_TRUE(errors::is(*err, sql::connection_lost)) << err->message();
}

TEST_F(postgres_db, serialization_failures_and_deadlocks_are_retried) {
  open({.open_max = 8});
  ASSERT_OK(db.exec(ctx, "insert into t values (1, '0'), (2, '0')"));
  sync::wait_group wg;
  internal::atomic<int> runs{0};
  for (int g = 0; g < 6; ++g) {
    wg.go([&, g] {
      for (int i = 0; i < 5; ++i) {
        EXPECT_OK(db.write(ctx, {.level = sql::isolation::serializable, .attempts_max = 100},
                           [&](sql::tx& tx) -> error {
                             runs.fetch_add(1);
                             for (int k = 0; k < 2; ++k) {  // each in its own order
                               VOLE_TRY(
                                   tx.exec(ctx, "update t set w = (w::int + 1)::text where v = $1",
                                           (g + k) % 2 + 1),
                                   "update");
                             }
                             return {};
                           }));
      }
    });
  }
  wg.wait();
  auto const sums = db.query_all<std::string>(ctx, "select w from t order by v");
  ASSERT_OK(sums);
  EXPECT_EQ(*sums, (std::vector<std::string>{"30", "30"}));
  EXPECT_GE(runs.load(), 30);
}

TEST_F(postgres_db, attempts_are_limited) {
  int runs = 0;
  error const err = db.write(ctx, {.attempts_max = 3}, [&](sql::tx& tx) -> error {
    ++runs;
    return tx.exec(ctx, "do $$ begin raise exception 'again' using errcode = '40001'; end $$")
        .error();
  });
  EXPECT_TRUE(sql::retryable(err)) << err.message();
  EXPECT_EQ(runs, 3);
}

TEST_F(postgres_db, a_statement_is_prepared_once_also_when_it_always_fails) {
  ASSERT_OK(db.exec(ctx, "insert into t values (1)"));
  auto const prepared = [&] {
    return db.query_one<std::int64_t>(ctx, "select count(*) from pg_prepared_statements").value();
  };
  auto const before = prepared();
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(db.exec(ctx, "insert into t values ($1)", 1));
  EXPECT_EQ(prepared(), before + 1);
}

TEST_F(postgres_db, the_server_forgets_statements_that_fall_out_of_the_cache) {
  open({.open_max = 1, .statements_max = 8});
  for (int i = 0; i < 40; ++i) ASSERT_OK(db.query(ctx, "select " + std::to_string(i)));
  EXPECT_LE(db.query_one<std::int64_t>(ctx, "select count(*) from pg_prepared_statements").value(),
            8);
}

TEST_F(postgres_db, a_statement_the_server_forgot_is_prepared_anew) {
  EXPECT_OK(db.query(ctx, "select 1 as kept"));
  ASSERT_OK(db.exec(ctx, "deallocate all"));
  auto const once = db.query(ctx, "select 1 as kept");
  EXPECT_TRUE(sql::retryable(once.error())) << text_of(once);
  EXPECT_OK(db.query(ctx, "select 1 as kept"));
}

TEST_F(postgres_db, a_connection_of_ones_own_is_cleaned_before_others_get_it) {
  {
    auto conn = db.conn(ctx);
    ASSERT_OK(conn);
    ASSERT_OK(conn->exec(ctx, "set application_name = 'mine'"));
    ASSERT_OK(conn->exec(ctx, "create temp table mine (v int)"));
    ASSERT_OK(conn->exec(ctx, "select pg_advisory_lock(5)"));
  }
  EXPECT_EQ(db.query_one<std::string>(ctx, "show application_name").value(), "vole");
  EXPECT_FALSE(db.query(ctx, "select * from mine"));
  EXPECT_EQ(
      db.query_one<std::int64_t>(ctx, "select count(*) from pg_locks where locktype = 'advisory'")
          .value(),
      0);
  EXPECT_EQ(db.stats().connects_total, 1);
}

// LISTEN is the session's, and a session is whoever has the connection.
TEST_F(postgres_db, a_connection_that_listened_does_so_no_more_when_others_get_it) {
  auto const channels = [&] {
    return db.query_all<std::string>(ctx, "select pg_listening_channels()").value();
  };
  ASSERT_OK(db.exec(ctx, "listen news"));
  EXPECT_TRUE(channels().empty());
  ASSERT_OK(db.write(ctx, [&](sql::tx& tx) { return tx.exec(ctx, "listen news").error(); }));
  EXPECT_TRUE(channels().empty());
  {
    auto tx = db.begin(ctx);
    ASSERT_OK(tx);
    ASSERT_OK(tx->exec_script(ctx, "select 1; listen news; select 2"));
    ASSERT_OK(tx->commit(ctx));
  }
  EXPECT_TRUE(channels().empty());
  {
    auto rows = db.stream(ctx, "listen news");
    ASSERT_OK(rows);
  }
  EXPECT_TRUE(channels().empty());
  // Behind a statement of another kind it shows by the first notification.
  ASSERT_OK(db.exec(ctx, "do $$ begin execute 'listen news'; end $$"));
  ASSERT_OK(db.exec(ctx, "notify news"));
  EXPECT_TRUE(channels().empty());
  EXPECT_EQ(db.stats().connects_total, 1);
  EXPECT_EQ(db.stats().discards_total, 0);
}

TEST_F(postgres_db, a_connection_of_ones_own_listens_until_it_is_given_back) {
  {
    auto conn = db.conn(ctx);
    ASSERT_OK(conn);
    ASSERT_OK(conn->exec(ctx, "listen news"));
    {
      auto dropped = conn->begin(ctx);
      ASSERT_OK(dropped);
      ASSERT_OK(dropped->exec(ctx, "notify news"));
    }
    EXPECT_EQ(conn->query_one<std::string>(ctx, "select pg_listening_channels()").value(), "news");
  }
  EXPECT_TRUE(db.query_all<std::string>(ctx, "select pg_listening_channels()")->empty());
}

// libpq keeps each notification until it is asked for.
TEST_F(postgres_db, notifications_do_not_pile_up_in_a_connection) {
  auto const target = internal::pg_target::parse(server().url(), "");
  ASSERT_OK(target);
  auto established = target->connect(ctx);
  ASSERT_OK(established);
  PGconn* const raw = established->get();
  auto adopted = internal::pg_conn::adopt(*std::move(established), 8, 0s);
  ASSERT_OK(adopted);
  internal::pg_conn& conn = **adopted;
  auto const expect_none = [&](std::string_view after) {
    PGnotify* const kept = PQnotifies(raw);
    EXPECT_EQ(kept, nullptr) << after;
    PQfreemem(kept);
  };
  ASSERT_OK(conn.run(ctx, "listen news", {}, ""));
  EXPECT_TRUE(conn.listens());
  // Its own are there before the answer ends.
  ASSERT_OK(conn.run(ctx, "notify news, 'one'", {}, ""));
  expect_none("a statement");
  ASSERT_OK(conn.script(ctx, "notify news, 'two'; notify news, 'three'"));
  expect_none("a script");
  ASSERT_OK(conn.start_stream(ctx, "select pg_notify('news', 'four')", {}, ""));
  ASSERT_OK(conn.drain(ctx));
  expect_none("a stream");
  ASSERT_OK(conn.unlisten(ctx));
  EXPECT_FALSE(conn.listens());
}

TEST_F(postgres_db, copy_is_refused_and_the_connection_replaced) {
  EXPECT_FALSE(db.exec(ctx, "copy t from stdin"));
  EXPECT_FALSE(db.exec(ctx, "copy t to stdout"));
  EXPECT_OK(db.ping(ctx));
}

TEST_F(postgres_db, the_pool_makes_no_more_connections_than_it_may) {
  open({.open_max = 3});
  sync::wait_group wg;
  for (int i = 0; i < 30; ++i) {
    wg.go([&] { EXPECT_OK(db.query(ctx, "select pg_sleep(0.002)")); });
  }
  wg.wait();
  auto const stats = db.stats();
  EXPECT_LE(stats.connects_total, 3);
  EXPECT_EQ(stats.waiting, 0);
  EXPECT_GT(stats.waits_total, 0);
}

TEST_F(postgres_db, waiting_for_a_connection_ends_with_the_context_and_says_so) {
  auto held = db.conn(ctx);
  ASSERT_OK(held);
  auto const [soon, cancel] = context::with_timeout(ctx, 10ms);
  EXPECT_EQ(db.ping(soon).message(),
            "wait for one of 1 connections (0 connecting): context deadline exceeded");
}

TEST_F(postgres_db, idle_connections_are_closed_after_their_time) {
  open({.open_max = 2, .idle_max = 20ms});
  ASSERT_OK(db.ping(ctx));
  while (db.stats().open > 0) time::sleep(1ms);
  EXPECT_GE(db.stats().discards_total, 1);
  EXPECT_OK(db.ping(ctx));
  open({.open_max = 1, .lifetime_max = 5ms});
  time::sleep(10ms);
  ASSERT_OK(db.ping(ctx));
  EXPECT_GE(db.stats().connects_total, 2);
}

TEST_F(postgres_db, cancels_at_random_moments_leave_every_connection_sound) {
  open({.open_max = 4});
  sync::wait_group wg;
  for (int g = 0; g < 8; ++g) {
    wg.go([&, g] {
      for (int i = 0; i < 25; ++i) {
        auto const [soon, cancel] =
            context::with_timeout(ctx, std::chrono::microseconds(((g * 37 + i * 101) % 40) * 100));
        auto const got =
            db.query_one<std::int64_t>(soon, "select $1::bigint from pg_sleep(0.002)", g * 100 + i);
        if (got) {
          EXPECT_EQ(*got, g * 100 + i);
        } else {
          EXPECT_TRUE(errors::is(got.error(), context::deadline_exceeded)) << text_of(got);
        }
      }
    });
  }
  wg.wait();
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(db.query_one<std::int64_t>(ctx, "select $1::bigint", i).value(), i);
  }
}

TEST_F(postgres_db, connecting_says_where_and_why_it_failed) {
  auto const failure = [&](std::string const& url) { return postgres::open(ctx, url).error(); };
  int const port = server().port();
  error const refused = failure("postgres://127.0.0.1:1/x");
  EXPECT_EQ(refused.message(), "connect to 127.0.0.1:1: connection refused");
  auto const* system = errors::as<errors::system_error>(refused);
  ASSERT_NE(system, nullptr);
  EXPECT_EQ(system->code, ECONNREFUSED);
  EXPECT_EQ(
      failure("postgres://postgres@127.0.0.1:1,127.0.0.1:2/x").message(),
      "connect to 127.0.0.1:1: connection refused; connect to 127.0.0.1:2: connection refused");
  error const unknown = failure(server().url("nowhere"));
  EXPECT_EQ(unknown.message(), fmt::format("connect to 127.0.0.1:{}: database \"nowhere\" does not "
                                           "exist (SQLSTATE 3D000)",
                                           port));
  auto const* pg = errors::as<postgres::pg_error>(unknown);
  ASSERT_NE(pg, nullptr);
  EXPECT_EQ(pg->severity, "FATAL");
  EXPECT_EQ(failure("host=/nowhere dbname=x").message(),
            "connect to /nowhere/.s.PGSQL.5432: no such file or directory");
  EXPECT_NE(failure("postgres://u@no-such-host.invalid/x")
                .message()
                .find("connect to no-such-host.invalid:5432: "),
            std::string::npos);
  EXPECT_NE(failure(server().url() + "?sslmode=require").message().find("SSL"), std::string::npos);
  for (auto const* url :
       {"host=x password='s3cret", "postgres://u:s3cret@h/x?nonsense=1", "hello s3cret"}) {
    std::string const text = failure(url).message();
    EXPECT_TRUE(text.starts_with("the database URL is malformed: ")) << text;
    EXPECT_EQ(text.find("s3cret"), std::string::npos) << text;
  }
}

TEST_F(postgres_db, names_and_unix_sockets_are_ways_to_the_server) {
  auto by_name = postgres::open(
      ctx, fmt::format("postgres://postgres@localhost:{}/postgres", server().port()));
  ASSERT_OK(by_name);
  EXPECT_OK(by_name->ping(ctx));
  EXPECT_OK(by_name->close(ctx));
  auto by_socket = postgres::open(ctx, fmt::format("host={} port={} user=postgres dbname=postgres",
                                                   server().folder(), server().port()));
  ASSERT_OK(by_socket);
  EXPECT_OK(by_socket->ping(ctx));
  EXPECT_OK(by_socket->close(ctx));
}

TEST_F(postgres_db, a_server_that_restarts_is_found_again) {
  auto own = testing::postgres_server::start();
  ASSERT_OK(own);
  auto opened = postgres::open(ctx, (*own)->url(), {.open_max = 4});
  ASSERT_OK(opened);
  sql::db& pool = *opened;
  ASSERT_OK(pool.exec(ctx, "create table kept (v bigint)"));
  for (auto const crash : {false, true}) {
    ASSERT_OK(pool.exec(ctx, "insert into kept values (1)"));
    sync::wait_group wg;
    for (int i = 0; i < 4; ++i) wg.go([&] { EXPECT_OK(pool.query(ctx, "select pg_sleep(0.01)")); });
    wg.wait();
    EXPECT_GE(pool.stats().idle, 1);
    ASSERT_OK(crash ? (*own)->crash() : (*own)->stop());
    // That the idle ones are gone is known only once the poller has looked.
    error down;
    do down = pool.ping(ctx);
    while (errors::is(down, sql::connection_lost));
    EXPECT_EQ(down.message(),
              fmt::format("connect to 127.0.0.1:{}: connection refused", (*own)->port()));
    ASSERT_OK((*own)->resume());
    for (int i = 0; i < 4; ++i) EXPECT_OK(pool.ping(ctx));
  }
  EXPECT_EQ(pool.query_one<std::int64_t>(ctx, "select count(*) from kept").value(), 2);
  ASSERT_OK(pool.close(ctx));
}

TEST_F(postgres_db, rows_of_a_mebibyte_arrive_whole_over_tls) {
  auto own = testing::postgres_server::start({"ssl=on"});
  ASSERT_OK(own);
  auto opened = postgres::open(ctx, (*own)->url() + "?sslmode=require", {.open_max = 2});
  ASSERT_OK(opened);
  EXPECT_TRUE(
      opened->query_one<bool>(ctx, "select ssl from pg_stat_ssl where pid = pg_backend_pid()")
          .value());
  for (std::int64_t size = 1; size <= (2 << 20); size = size * 3 / 2 + 7) {
    auto const row =
        opened->query_one<std::string>(ctx, "select repeat('x', cast($1 as int))", size);
    ASSERT_OK(row);
    ASSERT_EQ(row->size(), static_cast<std::size_t>(size));
  }
  std::string const large(4 << 20, 'z');
  EXPECT_EQ(opened->query_one<std::int64_t>(ctx, "select length($1)::bigint", large).value(),
            4 << 20);
  auto const [soon, cancel] = context::with_timeout(ctx, 50ms);
  EXPECT_FALSE(opened->query(soon, "select pg_sleep(600)"));
  EXPECT_OK(opened->ping(ctx));
  ASSERT_OK(opened->close(ctx));
}

}  // namespace
}  // namespace vole::sql_test
