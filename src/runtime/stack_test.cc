// SPDX-License-Identifier: Apache-2.0
#include "runtime/stack.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <gtest/gtest.h>
#include <string>
#include <unistd.h>
#include <vector>

#include "vole/go.h"

#include "runtime/goroutine.h"
#include "runtime/latch_test.h"
#include "runtime/sanitizer.h"

namespace vole::internal {
namespace {

TEST(stack, below_it_lies_a_page_that_cannot_be_read) {
  stack_pool pool;
  int fds[2];
  ASSERT_EQ(::pipe(fds), 0);
  for (std::size_t const bytes : stack_class_bytes) {
    std::errc why{};
    goroutine* const g = pool.take(stack_class_for(bytes), &why);
    ASSERT_NE(g, nullptr);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(g->stack_low) % stack_guard_bytes(), 0U);
    EXPECT_EQ(::write(fds[1], g->stack_low, 1), 1);
    for (char const* const guarded : {g->stack_low - 1, g->stack_low - stack_guard_bytes()}) {
      EXPECT_EQ(::write(fds[1], guarded, 1), -1) << "of " << bytes << " bytes";
      EXPECT_EQ(errno, EFAULT);
    }
  }
  ::close(fds[0]);
  ::close(fds[1]);
}

std::size_t page_table_kilobytes() {
  std::ifstream status("/proc/self/status");
  std::string line;
  while (std::getline(status, line)) {
    if (line.starts_with("VmPTE:")) return std::stoul(line.substr(6));
  }
  return 0;
}

// In a process of its own: page tables are counted for all of it.
[[noreturn]] void take_and_give_back_ten_slabs() {
  stack_pool pool;
  std::vector<goroutine*> taken(64 * 10);
  std::errc why{};
  auto const take_all = [&] {
    for (goroutine*& g : taken) g = pool.take(stack_class_default, &why);
  };
  std::size_t const before = page_table_kilobytes();
  take_all();
  std::size_t const with_all = page_table_kilobytes();
  char* const low = taken.front()->stack_low;
  for (goroutine* const g : taken) {
    g->next = nullptr;
    pool.give_many(stack_class_default, g);
  }
  pool.plan_scavenge();
  pool.plan_scavenge();
  while (pool.scavenge(64)) {
  }
  std::size_t const without = page_table_kilobytes();
  take_all();
  bool const again = std::ranges::any_of(taken, [&](goroutine* g) { return g->stack_low == low; });
  int fds[2];
  bool guarded = ::pipe(fds) == 0 && ::write(fds[1], low, 1) == 1;
  for (goroutine* const g : taken) guarded &= ::write(fds[1], g->stack_low - 1, 1) == -1;
  std::fprintf(stderr, "most went: %d, used again: %d, guarded: %d\n",
               with_all > before && without < before + (with_all - before) / 4, again, guarded);
  std::_Exit(0);
}

TEST(stack_death, page_tables_go_with_the_last_stack_of_a_slab_and_guards_come_back) {
  if (VOLE_ASAN) GTEST_SKIP() << "the stacks' shadow has page tables too, which stay";
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(take_and_give_back_ten_slabs(), testing::ExitedWithCode(0),
              "most went: 1, used again: 1, guarded: 1");
}

TEST(stack, guard_leaves_most_of_it_whatever_a_page_is) {
  for (std::size_t const bytes : stack_class_bytes) {
    int const size_class = stack_class_for(bytes);
    ASSERT_GE(size_class, 0);
    std::size_t const all = stack_class_bytes[size_class];
    EXPECT_GE(all, bytes);
    EXPECT_LE(stack_guard_bytes(), all / 4);
    EXPECT_TRUE(stack_holds(size_class, all - stack_guard_bytes()));
    EXPECT_FALSE(stack_holds(size_class, all - stack_guard_bytes() + 1));
  }
  EXPECT_LT(stack_class_for(stack_class_bytes[stack_classes - 1] + 1), 0);
}

[[gnu::noinline]] void touch_below(std::size_t bytes) {
  volatile char frame[2048];
  frame[0] = 1;
  if (bytes > sizeof frame) touch_below(bytes - sizeof frame);
  asm volatile("" ::: "memory");
}

TEST(stack, goroutine_has_what_it_asked_for) {
  run([] {
    latch done(2 * stack_classes);
    for (std::size_t const bytes : stack_class_bytes) {
      for (int i = 0; i < 2; ++i) {
        go({.stack_bytes = bytes}, [&done, bytes] {
          touch_below(bytes / 2);  // less than all: a sanitizer's frames are larger
          done.count_down();
        });
      }
    }
    done.wait();
  });
}

}  // namespace
}  // namespace vole::internal
