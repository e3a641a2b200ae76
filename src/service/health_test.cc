// SPDX-License-Identifier: Apache-2.0
#include "vole/service/health.h"

#include <gtest/gtest.h>

#include "vole/chan.h"
#include "vole/internal/atomic.h"
#include "vole/sync.h"
#include "vole/testing.h"

namespace vole {
namespace {

using namespace std::chrono_literals;

TEST(health, is_not_ready_until_the_door_is_opened) {
  service::health health;
  auto seen = health.readiness(context::background());
  EXPECT_FALSE(seen.ready);
  EXPECT_EQ(seen.reason, "starting");
  health.set_ready();
  EXPECT_TRUE(health.readiness(context::background()).ready);
  health.set_not_ready("draining");
  seen = health.readiness(context::background());
  EXPECT_FALSE(seen.ready);
  EXPECT_EQ(seen.reason, "draining");
}

TEST(health, is_not_ready_while_a_check_fails) {
  service::health health;
  health.set_ready();
  bool broken = true;
  health.add_readiness("feed", [](context const&) { return nullptr; });
  health.add_readiness("database", [&](context const&) -> error {
    return broken ? errors::make("connection refused") : error();
  });
  auto seen = health.readiness(context::background());
  EXPECT_FALSE(seen.ready);
  ASSERT_EQ(seen.checks.size(), 2U);
  EXPECT_FALSE(seen.checks[0].err);
  EXPECT_EQ(seen.checks[1].name, "database");
  EXPECT_EQ(seen.checks[1].err.message(), "connection refused");
  broken = false;
  EXPECT_TRUE(health.readiness(context::background()).ready);
}

TEST(health, a_check_that_honours_its_context_ends_at_its_timeout) {
  service::health health;
  health.set_ready();
  health.add_readiness("slow", [](context const& ctx) { return time::sleep(ctx, 1h); }, 1ms);
  auto const seen = health.readiness(context::background());
  EXPECT_FALSE(seen.ready);
  EXPECT_TRUE(seen.checks[0].err);
}

TEST(health, a_check_that_hangs_is_not_started_again) {
  service::health health;
  health.set_ready();
  chan<unit> began(3);
  chan<unit> release(0);
  chan<unit> ended(3);
  internal::atomic<int> runs{0};
  health.add_readiness(
      "stuck",
      [&runs, began, release, ended](context const&) -> error {
        ++runs;
        began.send({});
        static_cast<void>(release.recv());
        ended.send({});
        return nullptr;
      },
      1ms);
  for (int i = 0; i < 3; ++i) {
    auto const seen = health.readiness(context::background());
    EXPECT_FALSE(seen.ready);
    EXPECT_EQ(seen.checks[0].err.message(), "no answer within 1 ms");
  }
  static_cast<void>(began.recv());
  EXPECT_EQ(runs, 1);
  release.close();
  static_cast<void>(ended.recv());
}

TEST(health, probes_at_the_same_time_share_one_run) {
  service::health health;
  health.set_ready();
  chan<unit> release(0);
  internal::atomic<int> runs{0};
  health.add_readiness(
      "shared",
      [&](context const&) -> error {
        ++runs;
        static_cast<void>(release.recv());
        return nullptr;
      },
      1h);
  sync::wait_group wg;
  for (int i = 0; i < 4; ++i) {
    wg.go([&] { EXPECT_TRUE(health.readiness(context::background()).ready); });
  }
  testing::wait_until_parked(5);  // four probes and the check
  release.close();
  wg.wait();
  EXPECT_EQ(runs, 1);
}

TEST(health, a_probe_that_is_canceled_leaves_the_check_to_the_others) {
  service::health health;
  health.set_ready();
  chan<unit> release(0);
  health.add_readiness(
      "shared",
      [&](context const& ctx) -> error {
        static_cast<void>(release.recv());
        return ctx.err();
      },
      1h);
  auto [ctx, cancel] = context::with_cancel(context::background());
  sync::wait_group first;
  sync::wait_group second;
  first.go([&health, ctx = ctx] {
    auto const seen = health.readiness(ctx);
    EXPECT_TRUE(errors::is(seen.checks[0].err, context::canceled));
  });
  testing::wait_until_parked(2);
  second.go([&] { EXPECT_TRUE(health.readiness(context::background()).ready); });
  testing::wait_until_parked(3);
  cancel();
  first.wait();
  release.close();
  second.wait();
}

}  // namespace
}  // namespace vole
