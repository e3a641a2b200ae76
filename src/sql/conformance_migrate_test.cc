// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <fstream>
#include <stdlib.h>
#include <string>
#include <vector>

#include "vole/go.h"
#include "vole/sql/migrate.h"
#include "vole/sync.h"

#include "sql/conformance.h"

namespace vole::sql_test {
namespace {

class sql_migrate : public conformance {
 protected:
  std::vector<sql::migration> list = {
      {1, "users", "create table people (id bigint primary key);\ncreate table pets (id bigint);"},
      {2, "emails", "alter table people add column email text"},
      {3, "fill", "insert into people (id, email) values (1, 'a;b'); -- the last one;\n"},
  };
  std::string failure() { return sql::migrate(ctx, db, list).error().message(); }
};

TEST_F(sql_migrate, applies_each_once_and_in_order) {
  auto const first = sql::migrate(ctx, db, list);
  ASSERT_OK(first);
  EXPECT_EQ(first->version, 3);
  EXPECT_EQ(first->applied, (std::vector<std::int64_t>{1, 2, 3}));
  EXPECT_EQ(db.query_one<std::string>(ctx, "select email from people").value(), "a;b");
  auto const again = sql::migrate(ctx, db, list);
  ASSERT_OK(again);
  EXPECT_TRUE(again->applied.empty());
  list.push_back({4, "more", "insert into people (id) values (2)"});
  auto const more = sql::migrate(ctx, db, list);
  ASSERT_OK(more);
  EXPECT_EQ(more->applied, (std::vector<std::int64_t>{4}));
}

TEST_F(sql_migrate, a_failed_one_is_named_and_leaves_nothing_of_itself) {
  list.push_back(
      {4, "broken", "insert into people (id) values (9); insert into nowhere values (1)"});
  std::string const text = failure();
  EXPECT_NE(text.find("migration 4 (broken)"), std::string::npos) << text;
  EXPECT_NE(text.find("nowhere"), std::string::npos) << text;
  EXPECT_EQ(db.query_one<int>(ctx, "select count(*) from people").value(), 1);
  EXPECT_EQ(db.query_one<int>(ctx, "select max(version) from schema_migrations").value(), 3);
  list.back().sql = "insert into people (id) values (9)";
  auto const mended = sql::migrate(ctx, db, list);
  ASSERT_OK(mended);
  EXPECT_EQ(mended->applied, (std::vector<std::int64_t>{4}));
}

TEST_F(sql_migrate, a_changed_text_is_refused) {
  ASSERT_OK(sql::migrate(ctx, db, list));
  list[1].sql += " ";
  std::string const text = failure();
  EXPECT_NE(text.find("migration 2 (emails) was changed after it was applied at 2"),
            std::string::npos)
      << text;
}

TEST_F(sql_migrate, line_ends_do_not_count_as_a_change) {
  ASSERT_OK(sql::migrate(ctx, db, list));
  list[0].sql = "create table people (id bigint primary key);\r\ncreate table pets (id bigint);";
  EXPECT_OK(sql::migrate(ctx, db, list));
}

TEST_F(sql_migrate, gaps_and_duplicates_are_refused) {
  list.erase(list.begin() + 1);
  EXPECT_EQ(failure(), "migrate: migration 2 is missing: the next one given is 3 (fill)");
  list[1].version = 1;
  EXPECT_EQ(failure(), "migrate: two migrations have version 1: users and fill");
  EXPECT_FALSE(db.query(ctx, "select * from people"));
}

TEST_F(sql_migrate, one_that_was_left_out_below_the_schemas_version_is_refused) {
  ASSERT_OK(sql::migrate(ctx, db, list));
  ASSERT_OK(db.exec(ctx, "delete from schema_migrations where version = 2"));
  std::string const text = failure();
  EXPECT_NE(text.find("migration 2 (emails) was never applied, and 3 (fill) was"),
            std::string::npos)
      << text;
}

TEST_F(sql_migrate, a_database_newer_than_the_program_is_refused) {
  ASSERT_OK(sql::migrate(ctx, db, list));
  list.pop_back();
  std::string const text = failure();
  EXPECT_NE(text.find("the database has migration 3 (fill), and this program knows only 2"),
            std::string::npos)
      << text;
}

TEST_F(sql_migrate, processes_that_migrate_at_once_take_turns) {
  sync::wait_group wg;
  internal::atomic<int> applied{0};
  for (int i = 0; i < 4; ++i) {
    wg.go([&] {
      auto other = open_again();
      ASSERT_OK(other);
      auto const done = sql::migrate(ctx, *other, list);
      EXPECT_OK(done);
      if (done) applied.fetch_add(static_cast<int>(done->applied.size()));
      EXPECT_OK(other->close(ctx));
    });
  }
  wg.wait();
  EXPECT_EQ(applied.load(), 3);
  EXPECT_EQ(db.query_one<int>(ctx, "select count(*) from people").value(), 1);
}

class sql_load_migrations : public ::testing::Test {
 protected:
  void SetUp() override {
    folder = (std::filesystem::temp_directory_path() / "vole-migrations-XXXXXX").string();
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  }
  void TearDown() override { std::filesystem::remove_all(folder); }
  void put(std::string const& name, std::string const& text) {
    std::ofstream(folder + "/" + name) << text;
  }
  std::string failure() {
    return sql::load_migrations({}, folder, sql::dialect::sqlite).error().message();
  }

  std::string folder;
};

TEST_F(sql_load_migrations, files_are_read_in_order_and_the_databases_own_goes_first) {
  put("0002_b.sql", "two");
  put("0001_a-1.sql", "one");
  put("0003_c.sql", "three for all");
  put("0003_c.postgres.sql", "three for postgres");
  put("0003_c.sqlite.sql", "three for sqlite");
  put("README.md", "not one of them");
  auto const lite = sql::load_migrations({}, folder, sql::dialect::sqlite);
  ASSERT_OK(lite);
  ASSERT_EQ(lite->size(), 3u);
  EXPECT_EQ(lite->at(0).name, "a-1");
  EXPECT_EQ(lite->at(0).sql, "one");
  EXPECT_EQ(lite->at(1).version, 2);
  EXPECT_EQ(lite->at(2).sql, "three for sqlite");
  auto const pg = sql::load_migrations({}, folder, sql::dialect::postgres);
  ASSERT_OK(pg);
  EXPECT_EQ(pg->at(2).sql, "three for postgres");
}

TEST_F(sql_load_migrations, wrong_names_gaps_and_missing_folders_are_named) {
  put("0001_a.sql", "one");
  put("0003_c.sql", "three");
  EXPECT_EQ(failure(), folder + ": migration 2 is missing: the next one given is 3 (c)");
  put("2_b.sql", "two");
  EXPECT_OK(sql::load_migrations({}, folder, sql::dialect::sqlite));
  put("0002_other.sql", "two");
  EXPECT_NE(failure().find("two files for migration 2: "), std::string::npos) << failure();
  std::filesystem::remove(folder + "/0002_other.sql");
  put("0004.sql", "no name");
  EXPECT_NE(failure().find("0004.sql: the name of a migration is"), std::string::npos) << failure();
  std::filesystem::remove(folder + "/0004.sql");
  std::filesystem::create_directory(folder + "/0004_d.sql");
  EXPECT_EQ(failure(), "read " + folder + "/0004_d.sql: is a directory");
  EXPECT_EQ(sql::load_migrations({}, folder + "/nowhere", sql::dialect::sqlite).error().message(),
            "open " + folder + "/nowhere: no such file or directory");
}

}  // namespace
}  // namespace vole::sql_test
