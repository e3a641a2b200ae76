// SPDX-License-Identifier: Apache-2.0
#include "runtime/stack_table.h"

#include <array>
#include <gtest/gtest.h>
#include <memory>

namespace vole::internal {
namespace {

using stack = std::array<std::uintptr_t, stack_table::depth_max>;

// What is counted without its stack is scaled later by its tag, as all else.
TEST(stack_table, keeps_tags_apart_when_there_is_no_room_for_stacks) {
  auto const table = std::make_unique<stack_table>();
  stack next{};
  while (!table->at(next, 1).stack().empty()) ++next[0];
  stack_bucket& one = table->at(next, 1);
  stack_bucket& two = table->at(next, 2);
  EXPECT_NE(&one, &two);
  EXPECT_EQ(one.tag, 1U);
  EXPECT_EQ(two.tag, 2U);
  EXPECT_TRUE(two.stack().empty());
  ++next[0];
  EXPECT_EQ(&table->at(next, 2), &two);
  stack const first{};
  EXPECT_EQ(table->at(first, 1).depth, stack_table::depth_max);  // those that are known stay so
  one.counts[0] = 3;
  std::int64_t counted = 0;
  table->for_each([&](stack_bucket const& b) { counted += b.counts[0]; });
  EXPECT_EQ(counted, 3);
}

}  // namespace
}  // namespace vole::internal
