// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <utility>

#include "vole/result.h"

namespace vole {
namespace {

inline constinit errors::sentinel refused{"connection refused"};

error connect(int port) {
  if (port == 0) return refused;
  return nullptr;
}

result<std::unique_ptr<int>> dial(int port) {
  VOLE_TRY(connect(port), "connect to port {}", port);
  return std::make_unique<int>(port);
}

int shared_value = 0;

result<int&> open(int port) {
  auto conn = VOLE_TRY(dial(port), "dial");
  shared_value = *conn;
  return shared_value;
}

result<void> store(int port) {
  auto& value = VOLE_TRY(open(port), "open {} {}", "session", port);
  value += 1;
  return {};
}

error serve(int port) {
  VOLE_TRY(store(port), "store");
  return nullptr;
}

TEST(vole_try, yields_the_value) {
  EXPECT_FALSE(serve(41));
  EXPECT_EQ(shared_value, 42);
}

TEST(vole_try, returns_the_wrapped_error) {
  error const err = serve(0);
  EXPECT_TRUE(errors::is(err, refused));
  EXPECT_EQ(err.message(), "store: open session 0: dial: connect to port 0: connection refused");
}

TEST(vole_try, evaluates_its_words_on_failure_only) {
  int told = 0;
  auto const which = [&] { return ++told; };
  auto const call = [&](int port) -> error {
    VOLE_TRY(connect(port), "call {}", which());
    return nullptr;
  };
  EXPECT_FALSE(call(1));
  EXPECT_EQ(told, 0);
  EXPECT_EQ(call(0).message(), "call 1: connection refused");
  EXPECT_EQ(told, 1);
}

TEST(vole_try, evaluates_its_expression_once) {
  int calls = 0;
  auto const next = [&]() -> result<int> { return ++calls; };
  auto const twice = [&]() -> result<int> {
    auto const a = VOLE_TRY(next(), "first");
    auto const b = VOLE_TRY(next(), "second");
    return 10 * a + b;
  };
  EXPECT_EQ(*twice(), 12);
}

TEST(vole_try, leaves_a_named_result_as_it_is) {
  result<std::string> const named = std::string("kept");
  auto const use = [&]() -> result<std::string> {
    auto text = VOLE_TRY(named, "use");
    text += "!";
    return text;
  };
  EXPECT_EQ(*use(), "kept!");
  EXPECT_EQ(*named, "kept");
}

TEST(vole_try, takes_from_a_moved_result) {
  result<std::unique_ptr<int>> made = std::make_unique<int>(9);
  auto const take = [&]() -> result<int> {
    auto const owned = VOLE_TRY(std::move(made), "take");
    return *owned;
  };
  EXPECT_EQ(*take(), 9);
}

TEST(vole_try, destroys_what_stood_before_it) {
  auto const counted = std::make_shared<int>(0);
  auto const leave = [&]() -> error {
    auto const held = counted;
    VOLE_TRY(connect(0), "leave");
    return nullptr;
  };
  EXPECT_TRUE(leave());
  EXPECT_EQ(counted.use_count(), 1);
}

}  // namespace
}  // namespace vole
