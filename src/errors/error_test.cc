// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "vole/errors.h"
#include "vole/internal/format.h"

namespace vole {
namespace {

inline constinit errors::sentinel no_rows{"sql: no rows"};
inline constinit errors::sentinel closed{"sql: closed"};

struct query_error : errors::typed_base {
  query_error(std::string error_code, error why = nullptr)
      : code(std::move(error_code)), cause(std::move(why)) {}

  std::string message() const override {
    return cause ? fmt::format("query failed ({}): {}", code, cause)
                 : "query failed (" + code + ")";
  }
  error unwrap() const override { return cause; }
  bool is(error const& target) const override { return code == "02000" && target == no_rows; }

  std::string code;
  error cause;
};

struct other_error : errors::typed_base {
  std::string message() const override { return "other"; }
};

TEST(error, null_is_success) {
  error const none;
  EXPECT_FALSE(none);
  EXPECT_EQ(none, nullptr);
  EXPECT_EQ(none.message(), "no error");
  EXPECT_EQ(fmt::format("{}|{:+}", none, none), "no error|no error");
}

TEST(error, is_one_word) {
  EXPECT_EQ(sizeof(error), sizeof(void*));
}

TEST(error, make_keeps_its_text_to_the_letter) {
  EXPECT_EQ(errors::make("100 {} of {{}}").message(), "100 {} of {{}}");
  EXPECT_EQ(errors::make("{} of {}", 3, "four").message(), "3 of four");
  EXPECT_EQ(errors::make("").message(), "");
}

TEST(error, make_is_equal_to_no_other) {
  error const a = errors::make("same");
  error const b = errors::make("same");
  error const copy = a;
  EXPECT_NE(a, b);
  EXPECT_EQ(a, copy);
  EXPECT_FALSE(errors::is(a, b));
  EXPECT_TRUE(errors::is(copy, a));
}

TEST(error, wrap_reads_as_one_line) {
  error const cause = errors::make("connection refused");
  error const err = errors::wrap(errors::wrap(cause, "connect to {}:{}", "127.0.0.1", 5432),
                                 "load portfolio for user {}", "usr_abc123");
  EXPECT_EQ(fmt::format("{}", err),
            "load portfolio for user usr_abc123: connect to 127.0.0.1:5432: connection refused");
}

TEST(error, wrap_of_null_is_null) {
  EXPECT_FALSE(errors::wrap(nullptr, "no {}", "matter"));
}

TEST(error, wrap_takes_several_causes) {
  error const err =
      errors::wrap({errors::make("disk is full"), nullptr, errors::wrap(no_rows, "find")},
                   "shut down {}", "folio");
  EXPECT_EQ(err.message(), "shut down folio: disk is full; find: sql: no rows");
  EXPECT_TRUE(errors::is(err, no_rows));
  EXPECT_EQ(errors::wrap({nullptr, error()}, "nothing"), nullptr);
  EXPECT_EQ(errors::unwrap(errors::wrap({nullptr, error(no_rows)}, "one")), no_rows);
}

TEST(error, is_walked_first_cause_first) {
  // Which of two is found: the one below the first branch, however deep.
  error const deep = errors::wrap(errors::wrap(errors::make_typed<query_error>("deep"), "a"), "b");
  error const err = errors::wrap({deep, errors::make_typed<query_error>("shallow")}, "c");
  ASSERT_NE(errors::as<query_error>(err), nullptr);
  EXPECT_EQ(errors::as<query_error>(err)->code, "deep");
  error const before = errors::make_typed<query_error>("outer", err);
  EXPECT_EQ(errors::as<query_error>(before)->code, "outer");
}

TEST(error, unwrap_takes_one_wrap_off) {
  error const cause = errors::make("inner");
  error const err = errors::wrap(cause, "outer");
  EXPECT_EQ(errors::unwrap(err), cause);
  EXPECT_EQ(errors::unwrap(cause), nullptr);
  EXPECT_EQ(errors::unwrap(nullptr), nullptr);
  EXPECT_EQ(errors::unwrap(errors::join(err, cause)), nullptr);
}

TEST(error, is_finds_a_sentinel_below_wraps_and_joins) {
  error const err =
      errors::wrap(errors::join(errors::make("x"), errors::wrap(no_rows, "find")), "y");
  EXPECT_TRUE(errors::is(err, no_rows));
  EXPECT_FALSE(errors::is(err, closed));
  EXPECT_TRUE(errors::is(no_rows, no_rows));
  EXPECT_EQ(error(no_rows), error(no_rows));
}

TEST(error, is_null_only_for_null) {
  EXPECT_TRUE(errors::is(nullptr, nullptr));
  EXPECT_FALSE(errors::is(nullptr, no_rows));
  EXPECT_FALSE(errors::is(no_rows, nullptr));
}

TEST(error, as_finds_the_data_of_a_typed_error) {
  error const err = errors::wrap(errors::make_typed<query_error>("23505"), "insert user");
  auto const* const query = errors::as<query_error>(err);
  ASSERT_NE(query, nullptr);
  EXPECT_EQ(query->code, "23505");
  EXPECT_EQ(errors::as<other_error>(err), nullptr);
  error const none;
  EXPECT_EQ(errors::as<query_error>(none), nullptr);
  EXPECT_EQ(err.message(), "insert user: query failed (23505)");
}

TEST(error, typed_errors_are_walked_into) {
  error const err = errors::make_typed<query_error>("08006", errors::wrap(closed, "send"));
  EXPECT_TRUE(errors::is(err, closed));
  EXPECT_EQ(err.message(), "query failed (08006): send: sql: closed");
  error const nested = errors::make_typed<query_error>("1", errors::make_typed<other_error>());
  EXPECT_NE(errors::as<other_error>(nested), nullptr);
}

TEST(error, typed_errors_may_answer_to_a_sentinel) {
  EXPECT_TRUE(errors::is(errors::wrap(errors::make_typed<query_error>("02000"), "x"), no_rows));
  EXPECT_FALSE(errors::is(errors::make_typed<query_error>("02001"), no_rows));
}

TEST(error, join_drops_nulls) {
  error const one = errors::make("one");
  EXPECT_EQ(errors::join(nullptr, error()), nullptr);
  EXPECT_EQ(errors::join(error(), one, nullptr), one);
  EXPECT_EQ(errors::join(std::span<error const>()), nullptr);
  EXPECT_EQ(errors::join(one, nullptr, no_rows).message(), "one; sql: no rows");
}

TEST(error, join_of_joins_reads_in_order) {
  error const ab = errors::join(errors::make("a"), errors::make("b"));
  error const err = errors::join(errors::wrap(ab, "first"), errors::make("c"));
  EXPECT_EQ(err.message(), "first: a; b; c");
}

TEST(error, plus_prints_the_tree) {
  error const refused = errors::wrap(errors::make("connection refused"), "connect to {}", "db1");
  error const err = errors::wrap(
      errors::join(refused, errors::make_typed<query_error>("57P01"), no_rows), "load user {}", 7);
  EXPECT_EQ(fmt::format("{:+}", err),
            "load user 7\n"
            "  3 errors\n"
            "    connect to db1\n"
            "      connection refused\n"
            "    query failed (57P01)\n"
            "    sql: no rows");
}

TEST(error, unknown_format_is_refused) {
  EXPECT_THROW(static_cast<void>(fmt::format(fmt::runtime("{:x}"), errors::make("e"))),
               fmt::format_error);
}

TEST(error, sentinel_prints_its_text) {
  EXPECT_EQ(fmt::format("<{}>", no_rows), "<sql: no rows>");
}

TEST(error, moved_from_is_null) {
  error err = errors::make("gone");
  error const taken = std::move(err);
  EXPECT_FALSE(err);  // NOLINT(bugprone-use-after-move): that is the claim
  EXPECT_EQ(taken.message(), "gone");
}

TEST(error, assignment_to_itself_keeps_it) {
  error err = errors::make("kept");
  error const& same = err;
  err = same;
  EXPECT_EQ(err.message(), "kept");
}

TEST(error, a_chain_of_a_million_wraps_is_asked_printed_and_freed) {
  error err = no_rows;
  for (int i = 0; i < 1'000'000; ++i) err = errors::wrap(std::move(err), "w");
  EXPECT_TRUE(errors::is(err, no_rows));
  EXPECT_EQ(errors::as<query_error>(err), nullptr);
  EXPECT_EQ(err.message().size(), 3U * 1'000'000 + no_rows.text().size());
}

TEST(error, joins_of_joins_a_hundred_thousand_deep_are_freed) {
  error left = errors::make("leaf");
  error right = errors::make("leaf");
  for (int i = 0; i < 100'000; ++i) {
    left = errors::join(std::move(left), no_rows);
    right = errors::join(no_rows, std::move(right));
  }
  EXPECT_TRUE(errors::is(left, no_rows));
  EXPECT_TRUE(errors::is(right, no_rows));
}

TEST(error, copies_are_shared_between_threads) {
  error const shared = errors::wrap(errors::make_typed<query_error>("40001"), "commit");
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([shared] {
      for (int i = 0; i < 10'000; ++i) {
        error const copy = shared;
        error const wrapped = errors::wrap(copy, "try {}", i);
        ASSERT_NE(errors::as<query_error>(wrapped), nullptr);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(shared.message(), "commit: query failed (40001)");
}

TEST(error, long_texts_are_kept_whole) {
  std::string const text(100'000, 'x');
  EXPECT_EQ(errors::wrap(errors::make(text), "{}", text).message(), text + ": " + text);
}

}  // namespace
}  // namespace vole
