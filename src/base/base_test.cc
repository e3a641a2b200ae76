// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <fcntl.h>
#include <fstream>
#include <gtest/gtest.h>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <unistd.h>

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

void say(std::string_view text) {
  EXPECT_EQ(::write(STDERR_FILENO, text.data(), text.size()), static_cast<ssize_t>(text.size()));
}

// wait_until_asleep returns when the thread stands in the kernel, or is gone.
void wait_until_asleep(int tid) {
  for (char state = 'R'; state == 'R';) {
    std::ifstream stat(fmt::format("/proc/self/task/{}/stat", tid));
    std::string line;
    if (!std::getline(stat, line)) return;
    state = line.at(line.rfind(')') + 2);
  }
}

// The dump of the first panic; a second one strikes while it is made.
void dump_slowly() {
  say("dump begins\n");
  int line[2];
  EXPECT_EQ(::pipe2(line, O_CLOEXEC), 0);
  int const stderr_fd = ::dup(STDERR_FILENO);
  EXPECT_EQ(::dup2(line[1], STDERR_FILENO), STDERR_FILENO);
  atomic<int> tid{0};
  std::thread other([&tid] {
    tid.store(::gettid());
    panic("the second");
  });
  std::string heard;
  char c = 0;
  while (!heard.ends_with("the second\n") && ::read(line[0], &c, 1) == 1) heard += c;
  EXPECT_EQ(::dup2(stderr_fd, STDERR_FILENO), STDERR_FILENO);
  say(heard);
  wait_until_asleep(tid.load());
  say("dump ends\n");
  other.detach();
}

TEST(assert_death, a_panic_on_another_thread_does_not_cut_off_the_dump) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        set_panic_hook(&dump_slowly);
        panic("the first");
      },
      "panic: the first\n.*dump begins\n.*panic: the second\n.*dump ends");
}

TEST(assert_death, a_panic_within_the_dump_ends_it_at_once) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        set_panic_hook([] { panic("in the dump"); });
        panic("the first");
      },
      "panic: the first\n.*while dumping: panic: in the dump");
}

}  // namespace
}  // namespace vole::internal
