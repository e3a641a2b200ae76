// SPDX-License-Identifier: Apache-2.0
#include "vole/result.h"

#include <functional>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace vole {
namespace {

inline constinit errors::sentinel not_found{"not found"};

struct animal {
  virtual ~animal() = default;
  virtual int legs() const = 0;
};
struct bird : animal {
  int legs() const override { return 2; }
};

result<int> parse(std::string const& text) {
  if (text.empty()) return errors::make("nothing to parse");
  return static_cast<int>(text.size());
}

TEST(result, holds_a_value_or_an_error) {
  result<int> const good = parse("four");
  ASSERT_TRUE(good);
  EXPECT_EQ(*good, 4);
  EXPECT_EQ(good.error(), nullptr);
  result<int> const bad = parse("");
  ASSERT_FALSE(bad);
  EXPECT_FALSE(bad.has_value());
  EXPECT_EQ(bad.error().message(), "nothing to parse");
}

TEST(result, takes_a_sentinel) {
  auto const find = []() -> result<std::string> { return not_found; };
  EXPECT_TRUE(errors::is(find().error(), not_found));
}

TEST(result, moves_a_move_only_value_out) {
  static_assert(!std::is_copy_constructible_v<result<std::unique_ptr<int>>>);
  static_assert(std::is_nothrow_move_constructible_v<result<std::unique_ptr<int>>>);
  result<std::unique_ptr<int>> made = std::make_unique<int>(7);
  std::unique_ptr<int> const owned = *std::move(made);
  EXPECT_EQ(*owned, 7);
}

TEST(result, converts_from_a_result_of_what_its_value_converts_from) {
  auto const hatch = []() -> result<std::unique_ptr<bird>> { return std::make_unique<bird>(); };
  result<std::unique_ptr<animal>> const pet = hatch();
  EXPECT_EQ((*pet)->legs(), 2);
  result<std::unique_ptr<bird>> none = not_found;
  result<std::unique_ptr<animal>> const failed = std::move(none);
  EXPECT_EQ(failed.error(), not_found);
}

TEST(result, of_a_reference_refers) {
  std::string name = "vole";
  result<std::string&> const found = name;
  found->push_back('s');
  EXPECT_EQ(name, "voles");
  EXPECT_EQ(&*found, &name);
  std::string other = "none";
  result<std::string&> const failed = not_found;
  EXPECT_EQ(&failed.value_or(other), &other);
  EXPECT_EQ(*found.transform([](std::string& s) { return s.size(); }), 5U);
}

TEST(result, of_void_is_success_by_default) {
  result<void> const done;
  EXPECT_TRUE(done);
  result<void> const failed = not_found;
  EXPECT_FALSE(failed);
  EXPECT_EQ(*done.transform([] { return 3; }), 3);
  EXPECT_EQ(failed.transform([] { return 3; }).error(), not_found);
  EXPECT_TRUE(failed.or_else([](error const&) { return result<void>(); }));
}

TEST(result, of_bool_is_not_made_from_a_pointer) {
  static_assert(!std::is_convertible_v<char const*, result<bool>>);
  static_assert(!std::is_convertible_v<int, result<bool>>);
  static_assert(std::is_convertible_v<bool, result<bool>>);
  result<bool> const no = false;
  EXPECT_TRUE(no.has_value());
  EXPECT_FALSE(*no);
}

TEST(result, copies_and_assigns_both_ways) {
  result<std::string> a = "first";
  result<std::string> b = not_found;
  result<std::string> const copy = a;
  a = b;
  EXPECT_EQ(a.error(), not_found);
  b = copy;
  EXPECT_EQ(*b, "first");
  a = std::string("again");
  EXPECT_EQ(*a, "again");
  auto& same = a;
  a = same;
  EXPECT_EQ(*a, "again");
}

TEST(result, that_failed_stays_failed_when_moved_from) {
  result<std::string> failed = not_found;
  result<std::string> const taken = std::move(failed);
  EXPECT_EQ(taken.error(), not_found);
  EXPECT_FALSE(failed.has_value());  // NOLINT(bugprone-use-after-move): that is the claim
}

TEST(result, value_or_gives_the_other) {
  EXPECT_EQ(parse("").value_or(-1), -1);
  EXPECT_EQ(parse("abc").value_or(-1), 3);
}

TEST(result, transform_maps_the_value_only) {
  auto const twice = [](int n) { return 2 * n; };
  EXPECT_EQ(*parse("ab").transform(twice), 4);
  EXPECT_EQ(parse("").transform(twice).error().message(), "nothing to parse");
  int seen = 0;
  EXPECT_TRUE(parse("ab").transform([&](int n) { seen = n; }));
  EXPECT_EQ(seen, 2);
}

TEST(result, and_then_goes_on_with_another_result) {
  auto const positive = [](int n) -> result<std::string> {
    if (n < 3) return errors::make("too small");
    return std::string("big");
  };
  EXPECT_EQ(*parse("abc").and_then(positive), "big");
  EXPECT_EQ(parse("a").and_then(positive).error().message(), "too small");
  EXPECT_EQ(parse("").and_then(positive).error().message(), "nothing to parse");
}

TEST(result, and_then_moves_a_move_only_value_on) {
  result<std::unique_ptr<int>> made = std::make_unique<int>(5);
  auto const value =
      std::move(made).and_then([](std::unique_ptr<int> p) -> result<int> { return *p; });
  EXPECT_EQ(*value, 5);
}

TEST(result, or_else_mends) {
  auto const mend = [](error const& err) -> result<int> {
    return static_cast<int>(err.message().size());
  };
  EXPECT_EQ(*parse("").or_else(mend), 16);
  EXPECT_EQ(*parse("x").or_else(mend), 1);
}

TEST(result, destroys_its_value_once) {
  auto const counted = std::make_shared<int>(0);
  {
    result<std::shared_ptr<int>> a = counted;
    result<std::shared_ptr<int>> b = a;
    b = not_found;
    EXPECT_EQ(counted.use_count(), 2);
    a = result<std::shared_ptr<int>>(counted);
    EXPECT_EQ(counted.use_count(), 2);
  }
  EXPECT_EQ(counted.use_count(), 1);
}

TEST(result, of_a_container_is_built_in_place) {
  result<std::vector<int>> const list(std::in_place, 3U, 7);
  EXPECT_EQ(list->size(), 3U);
}

TEST(result_death, value_of_a_failed_one_is_a_bug_that_says_why) {
  EXPECT_DEATH(static_cast<void>(*parse("")),
               "value of a failed result was used: nothing to parse");
}

TEST(result_death, none_is_made_from_a_null_error) {
  EXPECT_DEATH(static_cast<void>(result<int>(error())), "result was made from a null error");
}

// --- the members of std::expected that the tests above have not named

TEST(result, holds_a_default_value_when_nobody_gives_another) {
  result<int> const zero;
  EXPECT_EQ(*zero, 0);
  static_assert(!std::is_default_constructible_v<result<std::reference_wrapper<int>>>);
  static_assert(!std::is_default_constructible_v<result<int&>>);
}

TEST(result, converts_as_its_value_does_and_no_further) {
  static_assert(std::is_convertible_v<char const*, result<std::string>>);
  static_assert(!std::is_convertible_v<int, result<std::vector<int>>>, "explicit there, so here");
  static_assert(std::is_constructible_v<result<std::vector<int>>, int>);
  static_assert(std::is_convertible_v<result<int> const&, result<long>>);
  static_assert(std::is_convertible_v<result<int>, result<long>>);
  static_assert(!std::is_convertible_v<result<int>, result<std::vector<int>>>);
  static_assert(!std::is_constructible_v<result<int>, std::string>);
  static_assert(std::is_convertible_v<result<bird&>, result<animal&>>);
  static_assert(!std::is_convertible_v<result<animal&>, result<bird&>>);
  static_assert(!std::is_constructible_v<result<std::string const&>, std::string>);
  static_assert(!std::is_convertible_v<result<int>, bool>, "only in a condition");
  result<int> const seven = 7;
  result<long> const wide = seven;
  EXPECT_EQ(*wide, 7L);
  result<int> const bad = not_found;
  EXPECT_EQ(result<long>(bad).error(), not_found);
}

TEST(result, gives_its_value_as_it_is_held) {
  using owner = result<std::unique_ptr<int>>;
  static_assert(std::is_same_v<decltype(*std::declval<owner&>()), std::unique_ptr<int>&>);
  static_assert(
      std::is_same_v<decltype(*std::declval<owner const&>()), std::unique_ptr<int> const&>);
  static_assert(std::is_same_v<decltype(*std::declval<owner>()), std::unique_ptr<int>&&>);
  static_assert(
      std::is_same_v<decltype(*std::declval<owner const>()), std::unique_ptr<int> const&&>);
  static_assert(
      std::is_same_v<decltype(std::declval<owner const>().value()), std::unique_ptr<int> const&&>);
  result<std::string> text = std::string("vole");
  text->push_back('s');
  text.value() += "!";
  EXPECT_EQ(*text, "voles!");
}

TEST(result, error_or_gives_the_other) {
  EXPECT_EQ(parse("ab").error_or(not_found), not_found);
  EXPECT_EQ(parse("").error_or(not_found).message(), "nothing to parse");
  result<int> const bad = not_found;
  EXPECT_EQ(bad.error_or(nullptr), not_found);
}

TEST(result, emplace_makes_the_value_anew) {
  result<std::vector<int>> list = not_found;
  EXPECT_EQ(list.emplace(2U, 7).size(), 2U);
  EXPECT_EQ(list.error(), nullptr);
  EXPECT_EQ(list.emplace({1, 2, 3}).size(), 3U);
  EXPECT_EQ(list->back(), 3);
  result<void> done = not_found;
  done.emplace();
  EXPECT_TRUE(done);
  result<std::vector<int>> const made(std::in_place, {4, 5});
  EXPECT_EQ(made->front(), 4);
}

struct explosive {
  explosive() = default;
  explicit explosive(int) { throw 1; }
};

TEST(result, stays_failed_when_the_new_value_throws) {
  result<explosive> r;
  EXPECT_THROW(r.emplace(1), int);
  EXPECT_FALSE(r);
  EXPECT_EQ(r.error().message(), "result was moved from");
}

TEST(result, swaps_value_and_error) {
  result<std::string> a = std::string("value");
  result<std::string> b = not_found;
  a.swap(b);
  EXPECT_EQ(a.error(), not_found);
  EXPECT_EQ(*b, "value");
  swap(a, b);
  EXPECT_EQ(*a, "value");
  result<void> done;
  result<void> failed = not_found;
  swap(done, failed);
  EXPECT_FALSE(done);
  EXPECT_TRUE(failed);
  static_assert(noexcept(a.swap(b)));
}

TEST(result, compares_with_results_values_and_errors) {
  result<int> const four = 4;
  result<int> const bad = not_found;
  EXPECT_EQ(four, result<long>(4));
  EXPECT_NE(four, result<int>(5));
  EXPECT_NE(four, bad);
  EXPECT_EQ(bad, result<int>(not_found));
  EXPECT_NE(bad, result<int>(errors::make("not found")));
  EXPECT_EQ(four, 4);
  EXPECT_NE(bad, 4);
  EXPECT_EQ(bad, not_found);
  EXPECT_NE(four, error(not_found));
  EXPECT_EQ(result<void>(), result<void>());
  EXPECT_NE(result<void>(), result<void>(not_found));
  int n = 4;
  EXPECT_EQ(result<int&>(n), four);
}

TEST(result, functions_get_the_value_as_it_is_held) {
  result<std::string> text = std::string("a");
  static_cast<void>(text.transform([](std::string& held) { held += "b"; }));
  EXPECT_EQ(*text, "ab");
  auto const kind = [](auto&& held) {
    return std::is_const_v<std::remove_reference_t<decltype(held)>>;
  };
  EXPECT_FALSE(*text.transform(kind));
  EXPECT_TRUE(*std::as_const(text).transform(kind));
  std::string const taken =
      *std::move(text).transform([](std::string&& held) { return std::move(held); });
  EXPECT_EQ(taken, "ab");
  int n = 1;
  result<int&> number = n;
  ++*number.transform([](int& held) -> int& { return held; });
  EXPECT_EQ(n, 2);
}

TEST(result, transform_error_gives_the_failure_other_words) {
  auto const words = [](error err) { return errors::wrap(std::move(err), "load"); };
  EXPECT_EQ(parse("").transform_error(words).error().message(), "load: nothing to parse");
  EXPECT_EQ(*parse("ab").transform_error(words), 2);
  result<std::unique_ptr<int>> owned = std::make_unique<int>(3);
  EXPECT_EQ(**std::move(owned).transform_error(words), 3);
  result<void> const failed = not_found;
  EXPECT_EQ(failed.transform_error(words).error().message(), "load: not found");
  auto const to_sentinel = [](error const&) { return error(not_found); };
  EXPECT_EQ(parse("").transform_error(to_sentinel), not_found);
}

TEST(result, of_void_goes_on_as_the_others_do) {
  result<void> const done;
  EXPECT_EQ(*done.and_then([] { return result<int>(3); }), 3);
  int calls = 0;
  EXPECT_TRUE(done.transform([&] { ++calls; }));
  result<void> const failed = not_found;
  EXPECT_FALSE(failed.and_then([&]() -> result<void> {
    ++calls;
    return {};
  }));
  EXPECT_EQ(calls, 1);
}

TEST(result, of_a_reference_goes_on_as_the_others_do) {
  int n = 5;
  result<int&> const found = n;
  EXPECT_EQ(*found.and_then([](int& held) -> result<long> { return held + 1L; }), 6);
  int other = 0;
  result<int&> const failed = not_found;
  EXPECT_EQ(&*failed.or_else([&](error const&) -> result<int&> { return other; }), &other);
  EXPECT_EQ(&*found.or_else([&](error const&) -> result<int&> { return other; }), &n);
}

TEST(result, moves_a_move_only_value_past_or_else) {
  result<std::unique_ptr<int>> made = std::make_unique<int>(5);
  auto const kept = std::move(made).or_else(
      [](error const&) -> result<std::unique_ptr<int>> { return not_found; });
  EXPECT_EQ(**kept, 5);
}

TEST(result, is_a_word_more_than_its_value) {
  static_assert(sizeof(result<void*>) == 2 * sizeof(void*));
  static_assert(sizeof(result<int&>) == 2 * sizeof(void*));
  static_assert(sizeof(result<void>) == sizeof(void*));
}

#ifdef __cpp_lib_expected
TEST(result, converts_from_and_to_expected) {
  result<int> const good = std::expected<int, error>(3);
  EXPECT_EQ(*good, 3);
  result<int> const bad = std::expected<int, error>(std::unexpected(error(not_found)));
  EXPECT_EQ(bad.error(), not_found);
  EXPECT_EQ(parse("ab").to_expected().value(), 2);
  EXPECT_EQ(parse("").to_expected().error().message(), "nothing to parse");
}
#endif

}  // namespace
}  // namespace vole
