// SPDX-License-Identifier: Apache-2.0
#include "net/fd_gate.h"

#include <chrono>
#include <gtest/gtest.h>
#include <vector>

#include "vole/context.h"
#include "vole/go.h"
#include "vole/runtime.h"
#include "vole/sync.h"
#include "vole/testing.h"

namespace vole::internal {
namespace {

using namespace std::chrono_literals;
using side = fd_gate::side;
using entry = fd_gate::entry;

TEST(fd_gate, lets_one_in_on_each_side) {
  fd_gate gate;
  EXPECT_EQ(gate.enter(side::read, {}), entry::entered);
  EXPECT_EQ(gate.enter(side::write, {}), entry::entered);
  EXPECT_EQ(gate.enter(side::read, {.deadline = now() + 1ms}), entry::deadline);
  EXPECT_TRUE(gate.enter_beside());
  EXPECT_FALSE(gate.leave(side::read));
  EXPECT_EQ(gate.enter(side::read, {}), entry::entered);
  EXPECT_FALSE(gate.leave(side::read));
  EXPECT_FALSE(gate.leave(side::write));
  EXPECT_FALSE(gate.leave_beside());
}

TEST(fd_gate, the_last_to_leave_a_shut_gate_is_told) {
  fd_gate gate;
  EXPECT_EQ(gate.enter(side::read, {}), entry::entered);
  EXPECT_TRUE(gate.shut());
  EXPECT_FALSE(gate.shut());
  EXPECT_TRUE(gate.is_shut());
  EXPECT_FALSE(gate.leave_beside());
  EXPECT_EQ(gate.enter(side::write, {}), entry::shut);
  EXPECT_FALSE(gate.enter_beside());
  EXPECT_TRUE(gate.leave(side::read));
}

TEST(fd_gate, turns_are_given_in_order) {
  fd_gate gate;
  std::vector<int> order;
  sync::wait_group wg;
  EXPECT_EQ(gate.enter(side::read, {}), entry::entered);
  auto const before = testing::parked();
  for (int i = 0; i < 4; ++i) {
    wg.go([&, i] {
      EXPECT_EQ(gate.enter(side::read, {}), entry::entered);
      order.push_back(i);
      EXPECT_FALSE(gate.leave(side::read));
    });
    testing::wait_until_parked(before + static_cast<std::size_t>(i) + 1);
  }
  EXPECT_FALSE(gate.leave(side::read));
  wg.wait();
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3}));
}

TEST(fd_gate, shut_sends_those_away_who_wait) {
  fd_gate gate;
  sync::wait_group wg;
  EXPECT_EQ(gate.enter(side::write, {}), entry::entered);
  auto const before = testing::parked();
  for (int i = 0; i < 3; ++i) {
    wg.go([&] { EXPECT_EQ(gate.enter(side::write, {}), entry::shut); });
  }
  testing::wait_until_parked(before + 3);
  EXPECT_TRUE(gate.shut());
  wg.wait();
  EXPECT_FALSE(gate.leave_beside());
  EXPECT_TRUE(gate.leave(side::write));
}

// Goroutines enter with limits of all kinds and one shuts: exactly one has to close, and a turn is
// never had by two.
TEST(fd_gate_stress, exactly_one_is_last) {
  for (int round = 0; round < 200; ++round) {
    fd_gate gate;
    atomic<int> closers{0};
    atomic<int> reading{0};
    sync::wait_group wg;
    for (int i = 0; i < 8; ++i) {
      wg.go([&, i] {
        for (int n = 0; n < 20; ++n) {
          park_limit limit;
          if (i % 2 == 0) limit.deadline = now() + std::chrono::microseconds(n % 5);
          entry const e = gate.enter(side::read, limit);
          if (e == entry::shut) return;
          if (e != entry::entered) continue;
          EXPECT_EQ(reading.fetch_add(1), 0);
          if (n % 4 == 0) runtime::yield();
          reading.fetch_sub(1);
          if (gate.leave(side::read)) ++closers;
        }
      });
    }
    wg.go([&] {
      for (int n = 0; n < round % 16; ++n) runtime::yield();
      EXPECT_TRUE(gate.shut());
      if (gate.leave_beside()) ++closers;
    });
    wg.wait();
    EXPECT_EQ(closers.load(), 1);
  }
}

}  // namespace
}  // namespace vole::internal
