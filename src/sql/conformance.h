// SPDX-License-Identifier: Apache-2.0
#pragma once
// What both drivers must do alike: the tests in conformance_*_test.cc are linked into a program for
// each driver, and that program says how to open a database.

#include <gtest/gtest.h>
#include <string>

#include "vole/context.h"
#include "vole/sql.h"

namespace vole::sql_test {

// Why the driver cannot be tested here; empty: it can.
std::string why_not();
// Opens a database that is empty and that no other test uses.
result<sql::db> open_empty(sql::hooks hooks = {});
// Opens the database of the last open_empty once more.
result<sql::db> open_again();

// A null error, or the test says what the error is.
#define EXPECT_OK(expression)                                                           \
  do {                                                                                  \
    auto const& vole_got = (expression);                                                \
    EXPECT_TRUE(::vole::sql_test::ok(vole_got)) << ::vole::sql_test::text_of(vole_got); \
  } while (false)
#define ASSERT_OK(expression)                                                           \
  do {                                                                                  \
    auto const& vole_got = (expression);                                                \
    ASSERT_TRUE(::vole::sql_test::ok(vole_got)) << ::vole::sql_test::text_of(vole_got); \
  } while (false)

inline bool ok(error const& err) {
  return !err;
}
inline std::string text_of(error const& err) {
  return err.message();
}
template <class T>
bool ok(result<T> const& r) {
  return static_cast<bool>(r);
}
template <class T>
std::string text_of(result<T> const& r) {
  return r.error().message();
}

class conformance : public ::testing::Test {
 protected:
  void SetUp() override {
    if (std::string const why = why_not(); !why.empty()) GTEST_SKIP() << why;
    auto opened = open_empty();
    ASSERT_OK(opened);
    db = *std::move(opened);
  }
  void TearDown() override {
    if (db) EXPECT_OK(db.close(ctx));
  }

  void run(std::string_view statement) { ASSERT_OK(db.exec(ctx, statement)); }
  void make_users() {
    run("create table users (id bigint primary key, email text not null unique, "
        "qty bigint not null default 0 check (qty >= 0))");
  }
  std::int64_t count_users() {
    auto const n = db.query_one<std::int64_t>(ctx, "select count(*) from users");
    return n ? *n : -1;
  }
  error add_user(sql::executor& on, std::int64_t id, std::string_view email) {
    return on.exec(ctx, "insert into users (id, email) values ($1, $2)", id, email).error();
  }

  // tidy: stored context, every statement of a test runs under it
  context const ctx;
  sql::db db;
};

}  // namespace vole::sql_test
