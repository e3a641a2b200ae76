// SPDX-License-Identifier: Apache-2.0
// Plain threads and goroutines that wait for one another: for tasks, groups and shared calls.
#include <gtest/gtest.h>
#include <vector>

#include "vole/chan.h"
#include "vole/context.h"
#include "vole/errgroup.h"
#include "vole/internal/atomic.h"
#include "vole/runtime.h"
#include "vole/singleflight.h"
#include "vole/task.h"

#include "sync/threads_and_goroutines_test.h"

namespace vole {
namespace {

using internal::atomic;
using namespace std::chrono_literals;

constexpr int meetings = 150;

// outcome_of waits under contexts that end early, again and again.
int outcome_of(task<int>& asked) {
  while (true) {
    auto const [ctx, cancel] = context::with_timeout(context::background(), 20us);
    result<int> const got = asked.get(ctx);
    if (got) return *got;
    EXPECT_TRUE(errors::is(got.error(), context::deadline_exceeded)) << got.error().message();
  }
}

// Each gets the task that another has spawned.
void meet_by_task() {
  chan<task<int>> const spawned(parties);
  atomic<int> sum{0};
  by_threads_and_goroutines([&](int party) {
    for (int i = 0; i < meetings; ++i) {
      spawned.send(spawn([party] {
        for (int k = 0; k < party; ++k) runtime::yield();
        return party;
      }));
      task<int> asked = *spawned.recv();
      sum += i % 2 == 0 ? asked.get(context::background()).value() : outcome_of(asked);
    }
  });
  EXPECT_EQ(sum.load(), meetings * parties * (parties - 1) / 2);
}

void meet_by_errgroup() {
  by_threads_and_goroutines([](int party) {
    for (int i = 0; i < meetings; ++i) {
      bool const fails = (party + i) % 2 == 0;
      int ended[4] = {0, 0, 0, 0};
      errgroup::group g(context::background());
      g.set_limit(2);
      for (int k = 0; k < 4; ++k) {
        g.go([&, k]() -> error {
          runtime::yield();
          ended[k] = 1;
          return fails && k == 2 ? errors::make("on purpose") : error();
        });
      }
      error const err = g.wait();
      EXPECT_EQ(err ? err.message() : "", fails ? "on purpose" : "");
      EXPECT_EQ(ended[0] + ended[1] + ended[2] + ended[3], 4);
    }
  });
}

// All that ask for a key while it is made get what was made.
void meet_by_singleflight() {
  singleflight::group<int, int> calls;
  std::vector<atomic<int>> made(meetings);
  by_threads_and_goroutines([&](int) {
    for (int i = 0; i < meetings; ++i) {
      result<int> const got = calls.run(context::background(), i, [&made, i](context const&) {
        for (int k = 0; k < 5; ++k) runtime::yield();
        made[static_cast<std::size_t>(i)].fetch_add(1);
        return i * 7;
      });
      ASSERT_TRUE(got) << got.error().message();
      EXPECT_EQ(*got, i * 7);
    }
  });
  for (atomic<int> const& n : made) {
    EXPECT_GE(n.load(), 1);
    EXPECT_LE(n.load(), parties);
  }
}

class context_of_threads_and_goroutines : public ::testing::TestWithParam<meeting> {};

TEST_P(context_of_threads_and_goroutines, wakes_both) {
  GetParam().run();
}

INSTANTIATE_TEST_SUITE_P(each, context_of_threads_and_goroutines,
                         ::testing::Values(meeting{"task", &meet_by_task},
                                           meeting{"errgroup", &meet_by_errgroup},
                                           meeting{"singleflight", &meet_by_singleflight}),
                         &name_of_meeting);

}  // namespace
}  // namespace vole
