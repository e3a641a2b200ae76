// SPDX-License-Identifier: Apache-2.0
#pragma once
// A wait whose context ends while what it waits for happens: the two race, round after round, from
// seeded starts, so that the end comes before the park, in it and after it. For the tests of every
// call that takes a context. No shared state between rounds but what the test brings.

#include <cstdint>
#include <gtest/gtest.h>
#include <random>

#include "vole/context.h"
#include "vole/errors.h"
#include "vole/go.h"
#include "vole/runtime.h"
#include "vole/sync/wait_group.h"
#include "vole/task.h"
#include "vole/testing.h"

namespace vole::testing {

struct race_counts {
  int completed = 0;
  int canceled = 0;
};

// race_cancel calls call(ctx), which returns an error, in a goroutine, while one cancels ctx and
// one runs complete(over), which lets the call succeed; over ends when the call has returned.
// after(err) then checks and clears up: the call has either succeeded or been canceled. The first
// two rounds are won by one side each, the others by whoever is faster.
// Blocks: until the rounds are over; no goroutine of a round outlives it.
template <class Call, class Complete, class After>
race_counts race_cancel(std::uint32_t seed, int rounds, Call call, Complete complete, After after) {
  std::mt19937 random(seed);
  race_counts counts;
  for (int round = 0; round < rounds; ++round) {
    auto [ctx, cancel] = context::with_cancel(context::background());
    auto const [over, end_over] = context::with_cancel(context::background());
    auto const turns = [&random] { return static_cast<int>(random() % 6); };
    int const before_cancel = turns();
    int const before_completion = turns();
    if (round == 0) cancel();
    task<void> waiting = spawn([&call, ctx = ctx]() -> error { return call(ctx); });
    result<void> outcome;
    if (round == 0) outcome = waiting.get(context::background());
    sync::wait_group both;
    both.go([&complete, before_completion, over = over] {
      for (int i = 0; i < before_completion; ++i) runtime::yield();
      complete(over);
    });
    if (round == 1) outcome = waiting.get(context::background());
    both.go([before_cancel, cancel = std::move(cancel)] {
      for (int i = 0; i < before_cancel; ++i) runtime::yield();
      cancel();
    });
    if (!waiting.empty()) outcome = waiting.get(context::background());
    end_over();
    both.wait();
    error const err = outcome.error();
    EXPECT_TRUE(!err || errors::is(err, context::canceled))
        << "seed " << seed << ", round " << round << ": " << err.message();
    ++(err ? counts.canceled : counts.completed);
    after(err);
  }
  EXPECT_GT(counts.canceled, 0);
  EXPECT_GT(counts.completed, 0);
  return counts;
}

}  // namespace vole::testing
