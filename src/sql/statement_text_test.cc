// SPDX-License-Identifier: Apache-2.0
#include "sql/statement_text.h"

#include <gtest/gtest.h>

#include "sql/statement_cache.h"

namespace vole::internal {
namespace {

TEST(sql_statement_text, the_first_word_comes_after_blanks_comments_and_parentheses) {
  EXPECT_EQ(first_word("select 1"), "select");
  EXPECT_EQ(first_word("  \n\t((SELECT 1) union select 2)"), "SELECT");
  EXPECT_EQ(first_word("-- begin\n /* a /* nested */ commit */ insert into t"), "insert");
  EXPECT_EQ(first_word(";;update t"), "update");
  EXPECT_EQ(first_word(""), "");
  EXPECT_EQ(first_word("-- only a comment"), "");
  EXPECT_EQ(first_word("/* never closed"), "");
  EXPECT_EQ(first_word("-"), "");
  EXPECT_EQ(first_word("/"), "");
}

TEST(sql_statement_text, kinds_are_told_by_it) {
  EXPECT_EQ(kind_of("Select 1"), statement_kind::read);
  EXPECT_EQ(kind_of("explain select 1"), statement_kind::read);
  EXPECT_EQ(kind_of("with a as (select 1) delete from t"), statement_kind::with);
  EXPECT_EQ(kind_of("insert into t values (1)"), statement_kind::other);
  EXPECT_EQ(kind_of("selection"), statement_kind::other);
  EXPECT_EQ(kind_of(" /* x */ Rollback"), statement_kind::transaction);
  EXPECT_EQ(kind_of("start transaction"), statement_kind::transaction);
  EXPECT_EQ(kind_of(""), statement_kind::other);
}

TEST(sql_statement_cache, the_least_recently_used_goes_first) {
  statement_cache<int> cache(2);
  cache.insert("a", 1);
  cache.insert("b", 2);
  EXPECT_TRUE(cache.full());
  EXPECT_EQ(*cache.find("a"), 1);
  EXPECT_EQ(cache.evict(), 2);
  EXPECT_EQ(cache.find("b"), nullptr);
  cache.insert("c", 3);
  EXPECT_EQ(cache.erase("a"), 1);
  EXPECT_EQ(cache.erase("a"), std::nullopt);
  EXPECT_EQ(cache.size(), 1u);
  EXPECT_EQ(cache.evict(), 3);
  EXPECT_EQ(cache.evict(), std::nullopt);
}

}  // namespace
}  // namespace vole::internal
