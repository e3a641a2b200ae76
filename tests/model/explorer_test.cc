// SPDX-License-Identifier: Apache-2.0
// What the explorer must report: races, deadlocks, uses after the end, failed
// checks; and how.

#include "explorer.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vole/internal/raw_mutex.h"

namespace vole::model {
namespace {

using internal::atomic;
using ::testing::HasSubstr;

// pairs with: the other thread of the same test
constexpr auto rlx = memory_order::relaxed;
constexpr auto acq = memory_order::acquire;
constexpr auto rel = memory_order::release;

report publish(memory_order store, memory_order load) {
  return explore("publish", {}, [=] {
    atomic<int> flag{0};
    int data = 0;
    int* const at = &data;
    name(data, "data");
    thread("writer", [&, at] {
      *at = 1;
      flag.store(1, store);
    });
    thread("reader", [&, at] {
      if (flag.load(load) == 1) MODEL_CHECK(*at == 1);
    });
    join();
  });
}

TEST(explorer, data_race_is_found_without_an_order) {
  for (auto const& r : {publish(rlx, rlx), publish(rel, rlx), publish(rlx, acq)}) {
    EXPECT_TRUE(r.failed);
    EXPECT_THAT(r.failure, HasSubstr("a data race on data"));
  }
  report const right = publish(rel, acq);
  EXPECT_FALSE(right.failed) << right.failure << "\n" << right.schedule;
  EXPECT_TRUE(right.complete);
}

TEST(explorer, deadlock_names_who_waits) {
  report const r = explore("two locks", {}, [] {
    internal::raw_mutex a;
    internal::raw_mutex b;
    thread("ab", [&] {
      internal::raw_lock const first(a);
      internal::raw_lock const second(b);
    });
    thread("ba", [&] {
      internal::raw_lock const first(b);
      internal::raw_lock const second(a);
    });
    join();
  });
  EXPECT_TRUE(r.failed);
  EXPECT_THAT(r.failure, HasSubstr("deadlock"));
  EXPECT_THAT(r.failure, HasSubstr("(ab) sleeps in a futex"));
  EXPECT_THAT(r.failure, HasSubstr("(ba) sleeps in a futex"));
}

TEST(explorer, lock_excludes) {
  report const r = explore("raw_mutex", {.preemptions = 3}, [] {
    internal::raw_mutex mu;
    int count = 0;
    for (int i = 0; i < 2; ++i) {
      thread("adder", [&] {
        for (int round = 0; round < 2; ++round) {
          internal::raw_lock const held(mu);
          ++count;
        }
      });
    }
    join();
    MODEL_CHECK(count == 4);
  });
  EXPECT_FALSE(r.failed) << r.failure << "\n" << r.schedule;
  EXPECT_TRUE(r.complete);
}

TEST(explorer, failed_check_comes_with_its_schedule) {
  report const r = explore("lost update", {}, [] {
    atomic<int> x{0};
    name(x, "x");
    for (int i = 0; i < 2; ++i) thread("adder", [&] { x.store(x.load(rlx) + 1, rlx); });
    join();
    MODEL_CHECK(x.load(rlx) == 2);
  });
  EXPECT_TRUE(r.failed);
  EXPECT_EQ(r.failure, "not so: x.load(rlx) == 2");
  EXPECT_THAT(r.schedule, HasSubstr("load relaxed"));
  EXPECT_THAT(r.schedule, HasSubstr("x: 0x0 -> 0x1"));
  EXPECT_THAT(r.schedule, HasSubstr("explorer_test.cc:"));
}

TEST(explorer, use_after_the_end_is_found) {
  report const freed = explore("freed", {}, [] {
    auto* const at = new int(1);
    thread("reader", [at] { MODEL_CHECK(*at == 1); });
    thread("freer", [at] { delete at; });
    join();
  });
  EXPECT_THAT(freed.failure, HasSubstr("free"));
  report const ended = explore("ended", {}, [] {
    auto* const x = new atomic<int>(0);
    thread("reader", [x] { static_cast<void>(x->load(rlx)); });
    thread("ender", [x] { delete x; });
    join();
  });
  EXPECT_TRUE(ended.failed);
  EXPECT_THAT(ended.failure, HasSubstr("an atomic"));
}

TEST(explorer, spin_loop_ends_and_livelock_is_reported) {
  auto const spin = [](bool somebody_stores) {
    return explore("spin", {}, [=] {
      atomic<int> flag{0};
      thread("spinner", [&] {
        while (flag.load(acq) == 0) internal::spin_pause();
      });
      if (somebody_stores) thread("setter", [&] { flag.store(1, rel); });
      join();
    });
  };
  report const ends = spin(true);
  EXPECT_FALSE(ends.failed) << ends.failure << "\n" << ends.schedule;
  EXPECT_THAT(spin(false).failure, HasSubstr("livelock"));
}

TEST(explorer, bound_of_preemptions_counts_executions) {
  auto const executions = [](int preemptions) {
    return explore("bound", {.preemptions = preemptions},
                   [] {
                     atomic<int> x{0};
                     for (int i = 0; i < 2; ++i) {
                       thread("adder", [&] {
                         x.fetch_add(1, rlx);
                         x.fetch_add(1, rlx);
                       });
                     }
                     join();
                   })
        .executions;
  };
  EXPECT_LT(executions(0), executions(1));
  EXPECT_LT(executions(1), executions(2));
}

}  // namespace
}  // namespace vole::model
