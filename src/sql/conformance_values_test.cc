// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <cstddef>
#include <limits>
#include <vector>

#include "sql/conformance.h"

namespace vole::sql_test {
namespace {

using namespace std::chrono_literals;

class sql_values : public conformance {
 protected:
  void make_all() {
    bool const lite = db.dialect() == sql::dialect::sqlite;
    run(lite
            ? "create table everything (i bigint, t text, r double precision, b blob, f boolean)"
            : "create table everything (i bigint, t text, r double precision, b bytea, f boolean)");
  }
};

std::vector<std::byte> bytes_of(std::initializer_list<int> all) {
  std::vector<std::byte> made;
  for (int const b : all) made.push_back(static_cast<std::byte>(b));
  return made;
}

TEST_F(sql_values, come_back_as_they_went_in) {
  make_all();
  auto const bytes = bytes_of({0, 1, 0x7f, 0x80, 0xff, 0});
  std::int64_t const least = std::numeric_limits<std::int64_t>::min();
  ASSERT_OK(db.exec(ctx, "insert into everything values ($1, $2, $3, $4, $5)", least,
                    "na\u00efve 'quoted' \"text\"\n", 0.1, bytes, true));
  auto rows = db.query(ctx, "select i, t, r, b, f from everything");
  ASSERT_OK(rows);
  ASSERT_EQ(rows->size(), 1u);
  sql::row const row = (*rows)[0];
  EXPECT_EQ(*row.get<std::int64_t>(0), least);
  EXPECT_EQ(*row.get<std::string>(1), "na\u00efve 'quoted' \"text\"\n");
  EXPECT_EQ(*row.get<double>(2), 0.1);
  EXPECT_EQ(*row.get<std::vector<std::byte>>(3), bytes);
  EXPECT_TRUE(*row.get<bool>(4));
  EXPECT_EQ(row.name(1), "t");
  EXPECT_EQ(*row.get<std::int64_t>("i"), least);
}

TEST_F(sql_values, null_reads_as_an_empty_optional_and_as_nothing_else) {
  make_all();
  ASSERT_OK(db.exec(ctx, "insert into everything values ($1, $2, $3, $4, $5)", nullptr,
                    std::optional<std::string>(), std::optional<double>(2.5), nullptr,
                    std::nullopt));
  auto rows = db.query(ctx, "select i, t, r, b, f from everything");
  ASSERT_OK(rows);
  sql::row const row = (*rows)[0];
  EXPECT_TRUE(row.is_null(0));
  EXPECT_EQ(*row.get<std::optional<std::int64_t>>(0), std::nullopt);
  EXPECT_EQ(*row.get<std::optional<double>>(2), 2.5);
  EXPECT_EQ(row.get<std::int64_t>(0).error().message(), "column 0 (i) is null");
  EXPECT_EQ(row.get<std::string>(1).error().message(), "column 1 (t) is null");
  EXPECT_TRUE((row.get<sql::value>(3))->is_null());
}

TEST_F(sql_values, a_wrong_type_is_named_with_its_column) {
  make_all();
  ASSERT_OK(db.exec(ctx, "insert into everything (i, t) values ($1, $2)", 70000, "x"));
  auto rows = db.query(ctx, "select i, t from everything");
  ASSERT_OK(rows);
  sql::row const row = (*rows)[0];
  EXPECT_EQ(row.get<std::string>(0).error().message(), "column 0 (i) is integer, not text");
  EXPECT_EQ(row.get<std::int64_t>(1).error().message(), "column 1 (t) is text, not integer");
  EXPECT_EQ(row.get<std::int16_t>(0).error().message(),
            "column 0 (i) is 70000, which does not fit into 16 bits");
  EXPECT_EQ(row.get<int>(2).error().message(), "the row has 2 columns, and none with index 2");
  EXPECT_EQ(row.get<int>("nope").error().message(), "the row has no column nope");
  int one = 0;
  EXPECT_EQ(row.scan(one).message(), "the row has 2 columns, and 1 are read");
}

TEST_F(sql_values, empty_text_and_empty_bytes_are_not_null) {
  make_all();
  ASSERT_OK(db.exec(ctx, "insert into everything (t, b) values ($1, $2)", std::string_view(),
                    std::vector<std::byte>()));
  auto rows = db.query(ctx, "select t, b from everything");
  ASSERT_OK(rows);
  EXPECT_EQ(*(*rows)[0].get<std::string>(0), "");
  EXPECT_TRUE((*rows)[0].get<std::vector<std::byte>>(1)->empty());
}

TEST_F(sql_values, owned_values_can_be_kept_and_sent_again) {
  make_all();
  std::vector<sql::value> const all = {sql::value(7), sql::value("seven"), sql::value(7.5),
                                       sql::value(bytes_of({7})), sql::value(false)};
  ASSERT_OK(db.exec(ctx, "insert into everything values ($1, $2, $3, $4, $5)", all[0], all[1],
                    all[2], all[3], all[4]));
  auto rows = db.query(ctx, "select i, t, r, b from everything");
  ASSERT_OK(rows);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(*(*rows)[0].get<sql::value>(i), all[i]) << i;
}

TEST_F(sql_values, a_sum_of_integers_reads_as_an_integer) {
  make_all();
  run("insert into everything (i) values (9000000000000000000), (200000000000000000)");
  auto const sum = db.query_one<std::int64_t>(ctx, "select sum(i) from everything");
  ASSERT_OK(sum);
  EXPECT_EQ(*sum, 9200000000000000000);
}

TEST_F(sql_values, placeholders_may_repeat_and_come_in_any_order) {
  auto const got = db.query_one<std::string, std::string, std::string>(
      ctx, "select cast($2 as text), cast($1 as text), cast($2 as text)", "one", "two");
  ASSERT_OK(got);
  EXPECT_EQ(*got, std::tuple("two", "one", "two"));
}

TEST_F(sql_values, query_one_without_a_row_is_no_rows) {
  make_users();
  auto const got = db.query_one<std::int64_t>(ctx, "select id from users where id = $1", 1);
  EXPECT_TRUE(errors::is(got.error(), sql::no_rows)) << text_of(got);
}

TEST_F(sql_values, query_all_reads_scalars_and_tuples) {
  make_users();
  run("insert into users (id, email) values (1, 'a'), (2, 'b'), (3, 'c')");
  auto const ids = db.query_all<std::int64_t>(ctx, "select id from users order by id");
  ASSERT_OK(ids);
  EXPECT_EQ(*ids, (std::vector<std::int64_t>{1, 2, 3}));
  auto const both = db.query_all<std::int64_t, std::string>(
      ctx, "select id, email from users where id > $1 order by id", 1);
  ASSERT_OK(both);
  ASSERT_EQ(both->size(), 2u);
  EXPECT_EQ(both->at(1), std::tuple(std::int64_t{3}, std::string("c")));
}

TEST_F(sql_values, rows_are_a_range_and_can_also_be_stepped_through) {
  make_users();
  run("insert into users (id, email) values (1, 'a'), (2, 'b')");
  auto rows = db.query(ctx, "select id, email from users order by id");
  ASSERT_OK(rows);
  std::string seen;
  for (sql::row const row : *rows) seen += *row.get<std::string_view>(1);
  EXPECT_EQ(seen, "ab");
  std::int64_t sum = 0;
  while (rows->next(ctx)) sum += *rows->get<std::int64_t>(0);
  EXPECT_EQ(sum, 3);
  EXPECT_FALSE(rows->err());
  auto none = db.query(ctx, "select id from users where id > 10");
  ASSERT_OK(none);
  EXPECT_TRUE(none->empty());
  EXPECT_EQ(none->columns(), 1u);
  EXPECT_TRUE(none->begin() == none->end());
}

TEST_F(sql_values, exec_counts_the_rows_it_changed) {
  EXPECT_EQ(db.exec(ctx, "create table n (v bigint)")->rows_affected, 0);
  EXPECT_EQ(db.exec(ctx, "insert into n values (1), (2), (3)")->rows_affected, 3);
  EXPECT_EQ(db.exec(ctx, "update n set v = v + 1 where v > $1", 1)->rows_affected, 2);
  EXPECT_EQ(db.exec(ctx, "delete from n where v = 100")->rows_affected, 0);
  EXPECT_EQ(db.exec(ctx, "create table m (v bigint)")->rows_affected, 0);
}

TEST_F(sql_values, returning_gives_rows_of_what_was_changed) {
  make_users();
  auto const id = db.query_one<std::int64_t>(
      ctx, "insert into users (id, email) values ($1, $2) returning id", 5, "e");
  ASSERT_OK(id);
  EXPECT_EQ(*id, 5);
  auto const with = db.query_one<std::int64_t>(
      ctx,
      "with picked as (select 5 as id) select users.id from users, picked "
      "where users.id = picked.id");
  ASSERT_OK(with);
  EXPECT_EQ(count_users(), 1);
}

TEST_F(sql_values, a_mebibyte_of_text_and_of_bytes_comes_back_whole) {
  make_all();
  std::string text(1 << 20, 'x');
  std::vector<std::byte> bytes(1 << 20);
  for (std::size_t i = 0; i < text.size(); ++i) {
    text[i] = static_cast<char>('a' + i % 26);
    bytes[i] = static_cast<std::byte>(i * 7);
  }
  ASSERT_OK(db.exec(ctx, "insert into everything (t, b) values ($1, $2)", text, bytes));
  auto const got =
      db.query_one<std::string, std::vector<std::byte>>(ctx, "select t, b from everything");
  ASSERT_OK(got);
  EXPECT_TRUE(std::get<0>(*got) == text);
  EXPECT_TRUE(std::get<1>(*got) == bytes);
}

TEST_F(sql_values, a_stream_gives_every_row_and_then_the_connection_back) {
  make_users();
  run("insert into users (id, email) with recursive n(v) as (select 1 union all select v + 1 from "
      "n "
      "where v < 5000) select v, 'user' || cast(v as text) from n");
  auto rows = db.stream(ctx, "select id, email from users where id > $1 order by id", 0);
  ASSERT_OK(rows);
  EXPECT_EQ(rows->columns(), 2u);
  EXPECT_EQ(rows->column_name(1), "email");
  std::int64_t expected = 0;
  EXPECT_OK(rows->each(ctx, [&](sql::row row) -> error {
    EXPECT_EQ(*row.get<std::int64_t>(0), ++expected);
    return {};
  }));
  EXPECT_EQ(expected, 5000);
  auto none = db.stream(ctx, "select id from users where id > 100000");
  ASSERT_OK(none);
  EXPECT_EQ(none->columns(), 1u);
  EXPECT_FALSE(none->next(ctx));
  EXPECT_FALSE(none->err());
}

TEST_F(sql_values, a_stream_may_be_left_in_the_middle) {
  make_users();
  run("insert into users (id, email) with recursive n(v) as (select 1 union all select v + 1 from "
      "n "
      "where v < 20000) select v, 'user' || cast(v as text) from n");
  for (int i = 0; i < 5; ++i) {
    auto rows = db.stream(ctx, "select id, email from users order by id");
    ASSERT_OK(rows);
    EXPECT_TRUE(rows->next(ctx));
  }
  EXPECT_EQ(count_users(), 20000);
}

TEST_F(sql_values, the_same_statement_text_is_prepared_once_and_works_a_hundred_times) {
  make_users();
  for (int i = 0; i < 100; ++i) ASSERT_OK(add_user(db, i, "user" + std::to_string(i)));
  EXPECT_EQ(count_users(), 100);
}

TEST_F(sql_values, more_statements_than_the_cache_holds_still_work) {
  for (int i = 0; i < 700; ++i) {
    auto const got = db.query_one<std::int64_t>(
        ctx, "select cast(" + std::to_string(i) + " as bigint) + cast($1 as bigint)", 1);
    ASSERT_OK(got);
    EXPECT_EQ(*got, i + 1);
  }
}

TEST_F(sql_values, a_table_that_changed_under_a_prepared_statement_is_seen_with_its_new_columns) {
  auto conn = db.conn(ctx);
  ASSERT_OK(conn);
  ASSERT_OK(conn->exec(ctx, "create table shape (a bigint)"));
  ASSERT_OK(conn->exec(ctx, "insert into shape values (1)"));
  ASSERT_OK(conn->query_one<std::int64_t>(ctx, "select * from shape"));
  ASSERT_OK(conn->exec(ctx, "alter table shape add column b text"));
  auto first = conn->query(ctx, "select * from shape");
  if (!first) {
    EXPECT_TRUE(sql::retryable(first.error())) << text_of(first);  // PostgreSQL says so once
    first = conn->query(ctx, "select * from shape");
  }
  ASSERT_OK(first);
  EXPECT_EQ(first->columns(), 2u);
  EXPECT_EQ(first->column_name(1), "b");
}

TEST_F(sql_values, mistakes_are_errors_that_say_what) {
  make_users();
  EXPECT_FALSE(db.query(ctx, "selct 1"));
  EXPECT_FALSE(db.query(ctx, "select * from nowhere"));
  EXPECT_FALSE(db.query(ctx, ""));
  EXPECT_FALSE(db.query(ctx, "select 1; select 2"));
  EXPECT_FALSE(db.query(ctx, "select id from users where id = $1"));
  EXPECT_FALSE(db.query(ctx, "select id from users where id = $1", 1, 2));
  for (auto const* text : {"begin", " /* x */ COMMIT", "-- c\nrollback", "savepoint a"}) {
    auto const got = db.exec(ctx, text);
    ASSERT_FALSE(got);
    EXPECT_NE(got.error().message().find("is a method, not a statement"), std::string::npos)
        << text_of(got);
  }
  EXPECT_EQ(count_users(), 0);
}

TEST_F(sql_values, a_context_that_has_ended_runs_nothing) {
  make_users();
  auto const [over, cancel] = context::with_cancel(ctx);
  cancel();
  EXPECT_TRUE(errors::is(db.query(over, "select 1").error(), context::canceled));
  auto const failed = db.exec(over, "insert into users (id, email) values (1, 'a')");
  EXPECT_TRUE(errors::is(failed.error(), context::canceled)) << text_of(failed);
  EXPECT_FALSE(errors::is(failed.error(), sql::outcome_unknown)) << text_of(failed);
  EXPECT_TRUE(errors::is(db.write(over, [](sql::tx&) { return error(); }), context::canceled));
  EXPECT_EQ(count_users(), 0);
}

TEST_F(sql_values, a_deadline_interrupts_a_statement_and_the_database_goes_on) {
  auto const [soon, cancel] = context::with_timeout(ctx, 100ms);
  auto const got = db.query(
      soon,
      "with recursive n(v) as (select 1 union all select v + 1 from n where v < 2000000000) "
      "select count(*) from n");
  ASSERT_FALSE(got);
  EXPECT_TRUE(errors::is(got.error(), context::deadline_exceeded)) << text_of(got);
  EXPECT_FALSE(errors::is(got.error(), sql::outcome_unknown) &&
               db.dialect() == sql::dialect::sqlite);
  EXPECT_OK(db.ping(ctx));
}

}  // namespace
}  // namespace vole::sql_test
