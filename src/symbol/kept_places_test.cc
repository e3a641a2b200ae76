// SPDX-License-Identifier: Apache-2.0
#include "symbol/kept_places.h"

#include <cstdint>
#include <gtest/gtest.h>
#include <string>

namespace vole::symbol {
namespace {

constexpr std::size_t much = std::size_t{1} << 30;

symbolized place(std::string const& function, int line) {
  return {
      .pc = 0,
      .function_start = 0x1000,
      .frames = {{.function = "inner", .mangled = "", .file = "a.h", .line = 3, .inlined = true},
                 {.function = function + "()",
                  .mangled = function,
                  .file = "/src/a.cc",
                  .line = line,
                  .inlined = false}}};
}

TEST(kept_places, come_back_as_they_were) {
  kept_places all(much);
  symbolized found;
  EXPECT_FALSE(all.get("id", 0x1010, &found));
  all.put("id", 0x1010, place("f", 7));
  ASSERT_TRUE(all.get("id", 0x1010, &found));
  EXPECT_EQ(found.function_start, 0x1000U);
  ASSERT_EQ(found.frames.size(), 2U);
  EXPECT_EQ(found.frames[0].function, "inner");
  EXPECT_EQ(found.frames[0].mangled, "");
  EXPECT_EQ(found.frames[0].file, "a.h");
  EXPECT_EQ(found.frames[0].line, 3);
  EXPECT_TRUE(found.frames[0].inlined);
  EXPECT_EQ(found.frames[1].function, "f()");
  EXPECT_EQ(found.frames[1].mangled, "f");
  EXPECT_EQ(found.frames[1].line, 7);
  EXPECT_FALSE(found.frames[1].inlined);
}

TEST(kept_places, are_those_of_one_file) {
  kept_places all(much);
  symbolized found;
  all.put("one", 0x10, place("f", 1));
  all.put("two", 0x10, place("g", 2));
  EXPECT_FALSE(all.get("three", 0x10, &found));
  EXPECT_FALSE(all.get("one", 0x11, &found));
  ASSERT_TRUE(all.get("one", 0x10, &found));
  EXPECT_EQ(found.frames[1].mangled, "f");
  ASSERT_TRUE(all.get("two", 0x10, &found));
  EXPECT_EQ(found.frames[1].mangled, "g");
}

TEST(kept_places, are_all_found_however_many) {
  constexpr std::uint64_t count = 20'000;
  kept_places all(much);
  for (std::uint64_t i = 0; i < count; ++i) {
    all.put("id", 16 * i, place("f" + std::to_string(i), static_cast<int>(i)));
  }
  symbolized found;
  for (std::uint64_t i = 0; i < count; ++i) {
    ASSERT_TRUE(all.get("id", 16 * i, &found)) << i;
    EXPECT_EQ(found.frames[1].function, "f" + std::to_string(i) + "()");
    EXPECT_EQ(found.frames[1].line, static_cast<int>(i));
  }
}

TEST(kept_places, keep_each_text_once) {
  std::string const longest(100'000, 'x');  // more than the pool takes at a time
  kept_places all(much);
  for (std::uint64_t i = 0; i < 1'000; ++i) all.put("id", i, place(longest, 1));
  EXPECT_LT(all.bytes(), 4 * longest.size() + 200 * 1'000);
  symbolized found;
  ASSERT_TRUE(all.get("id", 999, &found));
  EXPECT_EQ(found.frames[1].mangled, longest);
}

TEST(kept_places, forget_rather_than_exceed_their_bound) {
  constexpr std::size_t bound = std::size_t{1} << 20;
  kept_places all(bound);
  bool has_forgotten = false;
  symbolized found;
  for (std::uint64_t i = 0; i < 20'000; ++i) {
    all.put("id", i, place("f" + std::to_string(i), 1));
    ASSERT_LE(all.bytes(), bound);
    has_forgotten |= !all.get("id", i, &found);
  }
  EXPECT_TRUE(has_forgotten);
  all.clear();
  EXPECT_EQ(all.bytes(), 0U);
  all.put("id", 1, place("again", 1));
  EXPECT_TRUE(all.get("id", 1, &found));
}

}  // namespace
}  // namespace vole::symbol
