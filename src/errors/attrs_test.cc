// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <gtest/gtest.h>
#include <string>

#include "vole/attr.h"
#include "vole/errors.h"

namespace vole {
namespace {

using namespace std::chrono_literals;

inline constinit errors::sentinel no_rows{"sql: no rows"};

struct limit_error : errors::typed_base {
  explicit limit_error(error why) : cause(std::move(why)) {}

  std::string message() const override { return "over the limit: " + cause.message(); }
  error unwrap() const override { return cause; }

  error cause;
};

std::string text_of(std::vector<attr> const& attrs) {
  std::string text;
  for (attr const& a : attrs) {
    if (!text.empty()) text += ' ';
    text +=
        fmt::format("{}={}", a.key,
                    a.value.kind() == attr_value::kind::text ? std::string(a.value.as_text())
                                                             : fmt::to_string(a.value.as_int64()));
  }
  return text;
}

TEST(error_attrs, do_not_change_what_the_error_is) {
  error const plain = errors::wrap(no_rows, "load");
  error const err = errors::with_attrs(plain, {{"user_id", "usr_1"}});
  EXPECT_EQ(err.message(), "load: sql: no rows");
  EXPECT_TRUE(errors::is(err, no_rows));
  EXPECT_TRUE(errors::is(err, plain));
  EXPECT_TRUE(errors::is(plain, err)) << "the target's notes do not count either";
  EXPECT_EQ(errors::unwrap(err), no_rows);
  error const typed = errors::with_attrs(errors::make_typed<limit_error>(plain), {{"n", 1}});
  EXPECT_NE(errors::as<limit_error>(typed), nullptr);
}

TEST(error_attrs, of_null_are_null) {
  EXPECT_EQ(errors::with_attrs(nullptr, {{"a", 1}}), nullptr);
  EXPECT_TRUE(errors::attrs_of(nullptr).empty());
  error const err = errors::make("x");
  EXPECT_EQ(errors::with_attrs(err, {}), err);
}

TEST(error_attrs, own_what_they_hold) {
  error err;
  {
    std::string const key = "user_" + std::string(40, 'k');
    std::string const id = "usr_" + std::string(40, '1');
    err = errors::with_attrs(errors::make("gone"), {{key, id}, {"cause", errors::make("why")}});
  }
  EXPECT_EQ(text_of(errors::attrs_of(err)),
            "user_" + std::string(40, 'k') + "=usr_" + std::string(40, '1') + " cause=why");
}

TEST(error_attrs, keep_their_kinds) {
  error const err = errors::with_attrs(
      errors::make("x"), {{"n", -3}, {"u", 3U}, {"on", true}, {"f", 0.5}, {"took", 1500ms}});
  auto const attrs = errors::attrs_of(err);
  ASSERT_EQ(attrs.size(), 5U);
  EXPECT_EQ(attrs[0].value.kind(), attr_value::kind::int64);
  EXPECT_EQ(attrs[1].value.as_uint64(), 3U);
  EXPECT_TRUE(attrs[2].value.as_bool());
  EXPECT_EQ(attrs[3].value.as_float64(), 0.5);
  EXPECT_EQ(attrs[4].value.as_duration(), 1500ms);
}

TEST(error_attrs, of_a_group_get_its_name_in_front) {
  error const err = errors::with_attrs(
      errors::make("x"), {attr_group("order", {{"id", 7}, attr_group("user", {{"id", 8}})})});
  EXPECT_EQ(text_of(errors::attrs_of(err)), "order.id=7 order.user.id=8");
}

TEST(error_attrs, never_hold_a_secret) {
  error const err =
      errors::with_attrs(errors::make("x"), {{"key", secret<std::string>("hunter2")}});
  EXPECT_EQ(text_of(errors::attrs_of(err)), "key=[redacted]");
}

TEST(error_attrs, come_in_walking_order_and_the_outer_one_wins) {
  error const inner = errors::with_attrs(errors::make("a"), {{"n", 1}, {"symbol", "AAPL"}});
  error const middle = errors::make_typed<limit_error>(errors::wrap(inner, "b"));
  error const err = errors::with_attrs(
      errors::join(errors::with_attrs(middle, {{"n", 2}}), errors::with_attrs(no_rows, {{"t", 3}})),
      {{"all", 0}});
  EXPECT_EQ(text_of(errors::attrs_of(err)), "all=0 n=2 symbol=AAPL t=3");
}

TEST(error_attrs, stand_behind_their_error_in_the_tree) {
  error const cause = errors::with_attrs(errors::make("refused"), {{"addr", "127.0.0.1:1"}});
  error const err = errors::with_attrs(
      errors::with_attrs(errors::wrap(cause, "load"), {{"user", "ann b"}, {"try", 2}}),
      {{"took", 20ms}});
  EXPECT_EQ(fmt::format("{}", err), "load: refused");
  EXPECT_EQ(fmt::format("{:+}", err),
            "load {took=20ms user=\"ann b\" try=2}\n"
            "  refused {addr=127.0.0.1:1}");
}

TEST(error_attrs, of_what_a_typed_error_holds_are_in_the_tree_too) {
  error const err =
      errors::make_typed<limit_error>(errors::with_attrs(errors::make("full"), {{"size", 10}}));
  EXPECT_EQ(fmt::format("{:+}", err), "over the limit\n  full {size=10}");
}

}  // namespace
}  // namespace vole
