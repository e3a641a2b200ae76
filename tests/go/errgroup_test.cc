// SPDX-License-Identifier: Apache-2.0
// Behaviour that the tests of Go's x/sync/errgroup and x/sync/singleflight check, under their
// names. What is not here, and why, stands in docs/internals/conformance.md.
#include "vole/errgroup.h"

#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "vole/chan.h"
#include "vole/go.h"
#include "vole/internal/atomic.h"
#include "vole/runtime.h"
#include "vole/singleflight.h"
#include "vole/task.h"
#include "vole/testing.h"

namespace vole {
namespace {

inline constinit errors::sentinel const doom{"group_test: 1"};
inline constinit errors::sentinel const gloom{"group_test: 2"};

// What each of a group's functions returns, and what wait() then says.
struct outcome_case {
  std::vector<error> errs;
  error want;
};
std::vector<outcome_case> outcomes() {
  return {{{}, nullptr},
          {{nullptr}, nullptr},
          {{doom}, doom},
          {{doom, nullptr}, doom},
          {{nullptr, doom}, doom},
          {{doom, gloom}, doom},
          {{nullptr, doom, gloom}, doom}};
}

// Go waits after every go(): so each error comes before the next function is started.
TEST(go_errgroup, TestZeroGroup) {
  for (outcome_case const& at : outcomes()) {
    errgroup::group g(context::background());
    error first;
    for (error const& err : at.errs) {
      g.go([err] { return err; });
      if (!first) first = err;
      EXPECT_EQ(g.wait(), first);
    }
    EXPECT_EQ(g.wait(), at.want);
  }
}

TEST(go_errgroup, TestWithContext) {
  for (outcome_case const& at : outcomes()) {
    context group_ctx;
    {
      errgroup::group g(context::background());
      group_ctx = g.ctx();
      for (error const& err : at.errs) g.go([err] { return err; });
      error const got = g.wait();
      EXPECT_EQ(static_cast<bool>(got), static_cast<bool>(at.want));
      EXPECT_TRUE(!got || errors::is(got, doom) || errors::is(got, gloom));
    }
    EXPECT_TRUE(errors::is(group_ctx.err(), context::canceled));
  }
}

TEST(go_errgroup, TestTryGo) {
  constexpr int n = 42;
  errgroup::group g(context::background());
  g.set_limit(n);
  chan<unit> ch(0);
  internal::atomic<int> ran{0};
  auto const fn = [&]() -> error {
    ch.recv();
    ran.fetch_add(1);
    return nullptr;
  };
  for (int i = 0; i < n; ++i) EXPECT_TRUE(g.try_go(fn)) << i;
  EXPECT_FALSE(g.try_go(fn)) << "the limit is reached";
  ch.close();
  EXPECT_EQ(g.wait(), nullptr);
  EXPECT_TRUE(g.try_go(fn)) << "there is room again";
  EXPECT_EQ(g.wait(), nullptr);
  EXPECT_EQ(ran.load(), n + 1);

  errgroup::group limited(context::background());
  limited.set_limit(1);
  chan<unit> hold(0);
  limited.go([hold]() -> error {
    hold.recv();
    return nullptr;
  });
  EXPECT_FALSE(limited.try_go([]() -> error { return doom; }));
  hold.close();
  EXPECT_EQ(limited.wait(), nullptr);
}

TEST(go_errgroup, TestGoLimit) {
  constexpr int limit = 10;
  errgroup::group g(context::background());
  g.set_limit(limit);
  internal::atomic<int> active{0};
  internal::atomic<int> too_many{0};
  for (int i = 0; i <= 1 << 10; ++i) {
    g.go([&]() -> error {
      if (active.fetch_add(1) + 1 > limit) too_many.fetch_add(1);
      runtime::yield();
      active.fetch_sub(1);
      return nullptr;
    });
  }
  EXPECT_EQ(g.wait(), nullptr);
  EXPECT_EQ(too_many.load(), 0);
}

TEST(go_errgroup, TestCancelCause) {
  for (outcome_case const& at : outcomes()) {
    errgroup::group g(context::background());
    for (error const& err : at.errs) g.go([err] { return err; });
    error const got = g.wait();
    error const cause = g.ctx().cause();
    EXPECT_EQ(cause, got ? got : error(context::canceled));
  }
}

using flights = singleflight::group<std::string, std::string>;

TEST(go_singleflight, TestDo) {
  flights g;
  auto const v = g.run(context::background(), "key", [](context const&) { return "bar"; });
  EXPECT_EQ(*v, "bar");
}

TEST(go_singleflight, TestDoErr) {
  flights g;
  auto const v = g.run(context::background(), "key",
                       [](context const&) -> result<std::string> { return doom; });
  EXPECT_EQ(v.error(), error(doom));
}

TEST(go_singleflight, TestDoDupSuppress) {
  constexpr int n = 10;
  flights g;
  chan<std::string> c(0);
  internal::atomic<int> calls{0};
  std::vector<task<std::string>> asked;
  std::size_t const before = testing::parked();
  for (int i = 0; i < n; ++i) {
    asked.push_back(spawn([&] {
      return g.run(context::background(), "key", [&](context const&) -> result<std::string> {
        calls.fetch_add(1);
        return *c.recv();
      });
    }));
  }
  testing::wait_until_parked(before + n);
  c.send("bar");
  for (task<std::string>& one : asked) EXPECT_EQ(*one.get(context::background()), "bar");
  EXPECT_EQ(calls.load(), 1);
}

TEST(go_singleflight, TestForget) {
  singleflight::group<std::string, int> g;
  chan<unit> unblock_first(0);
  chan<unit> unblock_second(0);
  std::size_t const before = testing::parked();
  auto const wait_for = [](chan<unit> const& c, int v) {
    return [c, v](context const&) -> result<int> {
      c.recv();
      return v;
    };
  };
  task<int> first =
      spawn([&] { return g.run(context::background(), "key", wait_for(unblock_first, 1)); });
  testing::wait_until_parked(before + 1);
  g.forget("key");
  task<int> second =
      spawn([&] { return g.run(context::background(), "key", wait_for(unblock_second, 2)); });
  testing::wait_until_parked(before + 2);
  unblock_first.close();
  EXPECT_EQ(*first.get(context::background()), 1);
  // The end of the forgotten call must not have taken the second one's place away.
  task<int> third =
      spawn([&] { return g.run(context::background(), "key", [](context const&) { return 3; }); });
  testing::wait_until_parked(before + 2);
  unblock_second.close();
  EXPECT_EQ(*second.get(context::background()), 2);
  EXPECT_EQ(*third.get(context::background()), 2);
}

// DoChan is a task that runs the call.
TEST(go_singleflight, TestDoChan) {
  flights g;
  task<std::string> t = spawn(
      [&] { return g.run(context::background(), "key", [](context const&) { return "bar"; }); });
  EXPECT_EQ(*t.get(context::background()), "bar");
}

}  // namespace
}  // namespace vole
