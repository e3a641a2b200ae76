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
constexpr auto sc = memory_order::seq_cst;

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

int store_then_look(atomic<int>& mine, atomic<int>& other) {
  mine.store(1, sc);
  return other.load(sc);
}

// Of two that store and then look, one sees the other.
report two_that_look(fault const& broken) {
  return explore("two that look", {.broken = broken}, [] {
    atomic<int> x{0};
    atomic<int> y{0};
    int seen[2] = {};
    thread("one", [&] { seen[0] = store_then_look(x, y); });
    thread("other", [&] { seen[1] = store_then_look(y, x); });
    join();
    MODEL_CHECK(seen[0] + seen[1] > 0);
  });
}

TEST(explorer, fault_swaps_a_store_and_a_look_or_leaves_the_look_out) {
  report const right = two_that_look({});
  EXPECT_FALSE(right.failed) << right.failure << "\n" << right.schedule;
  EXPECT_TRUE(right.complete);
  report const swapped = two_that_look({"store_then_look", op::store, sc, fault::effect::late, 1});
  EXPECT_THAT(swapped.failure, HasSubstr("not so"));
  EXPECT_THAT(swapped.schedule, HasSubstr("puts off what comes next in the source"));
  report const left_out = two_that_look({"store_then_look", op::load, sc, fault::effect::blind});
  EXPECT_THAT(left_out.failure, HasSubstr("not so"));
}

TEST(explorer, service_is_waited_for_only_to_settle) {
  report const r = explore("service", {}, [] {
    struct shared {
      atomic<int> x{0};
      internal::raw_mutex mu;
    };
    auto* const at = new shared;  // it is never done with it
    auto const serve = [](void* to, void*) {
      auto& s = *static_cast<shared*>(to);
      s.x.store(1, rel);
      s.mu.lock();
      s.mu.lock();
    };
    service("server", serve, at, nullptr);
    settle();
    MODEL_CHECK(at->x.fetch_add(0, acq) == 1);  // a load might read an old value
    join();
  });
  EXPECT_FALSE(r.failed) << r.failure << "\n" << r.schedule;
  EXPECT_TRUE(r.complete);
}

TEST(explorer, held_choices_go_one_way) {
  auto const executions = [](bool held) {
    return explore("held", {},
                   [held] {
                     hold_choices(held);
                     atomic<int> x{0};
                     for (int i = 0; i < 2; ++i) thread("adder", [&] { x.fetch_add(1, rlx); });
                     join();
                   })
        .executions;
  };
  EXPECT_GT(executions(false), 2U);
  EXPECT_LE(executions(true), 2U);  // once more when it has learnt which words are shared
}

}  // namespace
}  // namespace vole::model
