// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <gtest/gtest.h>
#include <set>

#include "vole/assert.h"
#include "vole/internal/clock.h"
#include "vole/internal/raw_mutex.h"

#include "base/intrusive_list.h"
#include "base/rand.h"
#include "base/sys_error.h"

namespace vole::internal {
namespace {

struct item {
  int value;
  list_link link;
};

TEST(intrusive_list, keeps_order_and_removes_from_the_middle) {
  intrusive_list<item, &item::link> list;
  item a{1, {}}, b{2, {}}, c{3, {}};
  list.push_back(b);
  list.push_back(c);
  list.push_front(a);
  list.remove(b);
  EXPECT_FALSE(b.link.linked());
  EXPECT_EQ(list.front(), &a);
  EXPECT_EQ(list.next(a), &c);
  EXPECT_EQ(list.next(c), nullptr);
  EXPECT_EQ(list.pop_front(), &a);
  EXPECT_EQ(list.pop_front(), &c);
  EXPECT_EQ(list.pop_front(), nullptr);
  EXPECT_TRUE(list.empty());
}

TEST(rand, below_stays_below_and_reaches_every_value) {
  std::set<std::uint32_t> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(fast_rand_below(7));
  EXPECT_EQ(seen.size(), 7u);
  EXPECT_LT(*seen.rbegin(), 7u);
}

TEST(sys_error, speaks_lower_case_and_names_unknown_numbers) {
  EXPECT_EQ(sys_error_text(ECONNREFUSED), "connection refused");
  EXPECT_EQ(sys_error_text(ENOENT), "no such file or directory");
  EXPECT_EQ(sys_error_text(99999), "errno 99999");
}

TEST(clock, a_timeout_too_large_for_the_clock_is_no_deadline) {
  EXPECT_EQ(deadline_after(duration::max()), never);
  EXPECT_LT(deadline_after(std::chrono::seconds(1)), never);
}

TEST(raw_mutex, refuses_a_second_owner_until_unlocked) {
  raw_mutex mu;
  mu.lock();
  EXPECT_FALSE(mu.try_lock());
  mu.unlock();
  EXPECT_TRUE(mu.try_lock());
  mu.unlock();
}

TEST(assert_death, prints_the_operands_and_the_place) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  int const depth = 3;
  EXPECT_DEATH(VOLE_REQUIRE(depth < 3, "depth {}", depth), "panic: misuse: depth 3: depth < 3");
  EXPECT_DEATH(VOLE_ASSERT(depth == 0), "panic: assertion failed: depth == 0\n\t.*base_test.cc");
  EXPECT_DEATH(panic("it broke"), "panic: it broke");
}

}  // namespace
}  // namespace vole::internal
