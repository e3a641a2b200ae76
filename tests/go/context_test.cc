// SPDX-License-Identifier: Apache-2.0
// Behaviour that Go's tests of package context check, under their names, re-derived for this API.
// What is not here, and why, stands in docs/internals/conformance.md. Where Go's tests wait for a
// while to see that nothing happens, these look at what would have happened by then.
#include "vole/context.h"

#include <functional>
#include <gtest/gtest.h>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "vole/chan.h"
#include "vole/go.h"
#include "vole/runtime.h"
#include "vole/select.h"
#include "vole/sync/wait_group.h"
#include "vole/testing.h"
#include "vole/time.h"

namespace vole {
namespace {

using namespace std::chrono_literals;

constexpr auto very_long = 1000h;

inline constinit errors::sentinel const parent_cause{"parentCause"};
inline constinit errors::sentinel const child_cause{"childCause"};
inline constinit errors::sentinel const too_slow{"tooSlow"};
inline constinit errors::sentinel const finished_early{"finishedEarly"};

struct key1 {
  using value_type = std::string;
};
struct key2 {
  using value_type = std::string;
};
struct key3 {
  using value_type = std::shared_ptr<int>;
};

bool is_done(context const& ctx) {
  return select(recv(ctx.done()), otherwise()) == 0;
}

void expect_ended(context const& ctx, error const& err, error const& cause) {
  EXPECT_TRUE(is_done(ctx));
  EXPECT_TRUE(errors::is(ctx.err(), err)) << ctx.err().message();
  EXPECT_TRUE(errors::is(ctx.cause(), cause)) << ctx.cause().message();
}
void expect_canceled(context const& ctx) {
  expect_ended(ctx, context::canceled, context::canceled);
}
void expect_live(context const& ctx) {
  EXPECT_FALSE(is_done(ctx));
  EXPECT_FALSE(ctx.err());
  EXPECT_FALSE(ctx.cause());
}

TEST(go_context, TestBackground) {
  context const ctx = context::background();
  EXPECT_FALSE(ctx.done()) << "the nil channel";
  expect_live(ctx);
}

TEST(go_context, TestTODO) {
  context const ctx = context::todo();
  EXPECT_FALSE(ctx.done());
  expect_live(ctx);
}

TEST(go_context, TestWithCancel) {
  auto const [c1, cancel] = context::with_cancel(context::background());
  auto const c2 = context::with_value<key1>(c1, "v");
  auto const [c3, cancel3] = context::with_timeout(c2, very_long);
  for (context const& ctx : {c1, c2, c3}) expect_live(ctx);
  cancel();
  for (context const& ctx : {c1, c2, c3}) expect_canceled(ctx);
}

TEST(go_context, TestParentFinishesChild) {
  auto const [parent, cancel] = context::with_cancel(context::background());
  auto const [child, cancel_child] = context::with_cancel(parent);
  auto const value_child = context::with_value<key1>(parent, "value");
  auto const [timer_child, cancel_timer] = context::with_timeout(value_child, very_long);
  chan<unit> ran(0);
  auto const stop = context::after_func(parent, [ran] { ran.close(); });
  for (context const& ctx : {parent, child, value_child, timer_child}) expect_live(ctx);
  cancel();
  for (context const& ctx : {parent, child, value_child, timer_child}) expect_canceled(ctx);
  ran.recv();
  expect_canceled(context::with_value<key1>(parent, "value"));
}

TEST(go_context, TestChildFinishesFirst) {
  auto const [cancelable, stop] = context::with_cancel(context::background());
  for (context const& parent : {context::background(), cancelable}) {
    auto const [child, cancel] = context::with_cancel(parent);
    expect_live(parent);
    expect_live(child);
    cancel();
    expect_canceled(child);
    expect_live(parent);
  }
}

// What a parent still knows of a child would keep alive what the child holds.
TEST(go_context, TestCancelRemoves) {
  auto const held = std::make_shared<int>(1);
  auto const [ctx, cancel] = context::with_cancel(context::background());
  {
    auto const valued = context::with_value<key3>(ctx, held);
    auto const [child, cancel_child] = context::with_cancel(valued);
    auto const [timed, cancel_timed] = context::with_timeout(valued, very_long);
    EXPECT_TRUE(child.done());
    EXPECT_TRUE(timed.done());
    auto stop = context::after_func(ctx, [held] {});
    EXPECT_TRUE(stop());
    cancel_child();
  }
  EXPECT_EQ(held.use_count(), 1);
  expect_live(ctx);
}

TEST(go_context, TestDeadline) {
  auto const [soon, cancel] = context::with_deadline(context::background(), time::now() + 1ms);
  soon.done().recv();
  expect_ended(soon, context::deadline_exceeded, context::deadline_exceeded);
  auto const [below, cancel_below] = context::with_deadline(soon, time::now() + very_long);
  expect_ended(below, context::deadline_exceeded, context::deadline_exceeded);
  for (time_point const when : {time::now() - 1ms, time::now()}) {
    auto const [past, cancel_past] = context::with_deadline(context::background(), when);
    expect_ended(past, context::deadline_exceeded, context::deadline_exceeded);
  }
}

TEST(go_context, TestTimeout) {
  auto const [ctx, cancel] = context::with_timeout(context::background(), 1ms);
  auto const [below, cancel_below] = context::with_timeout(ctx, very_long);
  below.done().recv();
  expect_ended(below, context::deadline_exceeded, context::deadline_exceeded);
  expect_ended(ctx, context::deadline_exceeded, context::deadline_exceeded);
}

TEST(go_context, TestCanceledTimeout) {
  auto const [outer, cancel_outer] = context::with_timeout(context::background(), very_long);
  auto const [ctx, cancel] = context::with_timeout(outer, very_long);
  cancel();
  expect_canceled(ctx);
}

TEST(go_context, TestValues) {
  auto const says = [](std::string const* found) { return found == nullptr ? "" : *found; };
  auto const check = [&](context const& ctx, std::string const& v1, std::string const& v2) {
    EXPECT_EQ(says(ctx.value<key1>()), v1);
    EXPECT_EQ(says(ctx.value<key2>()), v2);
  };
  context const c0 = context::background();
  check(c0, "", "");
  context const c1 = context::with_value<key1>(c0, "c1k1");
  check(c1, "c1k1", "");
  context const c2 = context::with_value<key2>(c1, "c2k2");
  check(c2, "c1k1", "c2k2");
  context const c3 = context::with_value<key1>(c2, "");
  check(c3, "", "c2k2");
  EXPECT_NE(c3.value<key1>(), nullptr);
}

TEST(go_context, TestSimultaneousCancels) {
  std::vector<std::pair<context, cancel_handle>> tree;
  tree.push_back(context::with_cancel(context::background()));
  for (std::size_t parent = 0; tree.size() < 100; ++parent) {
    for (int i = 0; i < 4; ++i) tree.push_back(context::with_cancel(tree[parent].first));
  }
  std::mt19937 random(20240117);
  std::vector<std::size_t> order(tree.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::shuffle(order, random);
  sync::wait_group canceled;
  for (std::size_t const i : order) canceled.go([&tree, i] { tree[i].second(); });
  std::ranges::shuffle(order, random);
  for (std::size_t const i : order) tree[i].first.done().recv();
  canceled.wait();
}

TEST(go_context, TestInterlockedCancels) {
  auto const [parent, cancel_parent] = context::with_cancel(context::background());
  auto [child, cancel_child] = context::with_cancel(parent);
  go([parent = parent, cancel = std::move(cancel_child)] {
    parent.done().recv();
    cancel();
  });
  cancel_parent();
  child.done().recv();
}

void test_layers(std::uint32_t seed, bool timeouts) {
  std::mt19937 random(seed);
  context ctx = context::background();
  std::vector<cancel_handle> handles;
  std::string last;
  int timed = 0;
  for (int i = 0; i < 30 || timed == 0 || handles.empty() || last.empty(); ++i) {
    switch (random() % 3) {
      case 0:
        last = std::to_string(i);
        ctx = context::with_value<key1>(ctx, last);
        continue;
      case 1: {
        auto made = context::with_cancel(ctx);
        ctx = made.first;
        handles.push_back(std::move(made.second));
        continue;
      }
      default: {
        auto made = context::with_timeout(ctx, timeouts ? duration(1ms) : duration(very_long));
        ctx = made.first;
        handles.push_back(std::move(made.second));
        ++timed;
      }
    }
  }
  EXPECT_EQ(*ctx.value<key1>(), last) << "seed " << seed;
  if (timeouts) {
    ctx.done().recv();
  } else {
    expect_live(ctx);
    handles[random() % handles.size()]();
  }
  EXPECT_TRUE(is_done(ctx)) << "seed " << seed;
  EXPECT_EQ(*ctx.value<key1>(), last) << "seed " << seed;
}

TEST(go_context, TestLayersCancel) {
  for (std::uint32_t seed = 1; seed <= 20; ++seed) test_layers(seed, false);
}
TEST(go_context, TestLayersTimeout) {
  for (std::uint32_t seed = 1; seed <= 20; ++seed) test_layers(seed, true);
}

TEST(go_context, TestWithCancelCanceledParent) {
  auto const [parent, cancel] = context::with_cancel_cause(context::background());
  cancel(parent_cause);
  auto const [child, cancel_child] = context::with_cancel(parent);
  expect_ended(child, context::canceled, parent_cause);
}

TEST(go_context, TestWithCancelSimultaneouslyCanceledParent) {
  for (int i = 0; i < 100; ++i) {
    auto [parent, cancel] = context::with_cancel_cause(context::background());
    go([cancel = std::move(cancel)] { cancel(parent_cause); });
    auto const [child, cancel_child] = context::with_cancel(parent);
    child.done().recv();
    expect_ended(child, context::canceled, parent_cause);
  }
}

// Each case is what its context ends as; "parent" and "child" are made in that order.
struct cause_case {
  char const* name;
  std::function<context()> make;
  error err;
  error cause;
};

std::vector<cause_case> causes_of_one() {
  return {
      {"Background", [] { return context::background(); }, nullptr, nullptr},
      {"TODO", [] { return context::todo(); }, nullptr, nullptr},
      {"WithCancel", [] { return context::with_cancel(context::background()).first; },
       context::canceled, context::canceled},
      {"WithCancelCause",
       [] {
         auto const [ctx, cancel] = context::with_cancel_cause(context::background());
         cancel(parent_cause);
         return ctx;
       },
       context::canceled, parent_cause},
      {"WithCancelCause nil",
       [] {
         auto const [ctx, cancel] = context::with_cancel_cause(context::background());
         cancel(nullptr);
         return ctx;
       },
       context::canceled, context::canceled},
      {"WithTimeout", [] { return context::with_timeout(context::background(), 0s).first; },
       context::deadline_exceeded, context::deadline_exceeded},
      {"WithTimeout canceled",
       [] { return context::with_timeout(context::background(), very_long).first; },
       context::canceled, context::canceled},
      {"WithTimeoutCause",
       [] { return context::with_timeout(context::background(), 0s, too_slow).first; },
       context::deadline_exceeded, too_slow},
      {"WithTimeoutCause canceled",
       [] { return context::with_timeout(context::background(), very_long, too_slow).first; },
       context::canceled, context::canceled},
      {"WithoutCancel", [] { return context::without_cancel(context::background()); }, nullptr,
       nullptr},
      {"WithoutCancel canceled",
       [] {
         auto const [ctx, cancel] = context::with_cancel_cause(context::background());
         cancel(finished_early);
         return context::without_cancel(ctx);
       },
       nullptr, nullptr},
      {"WithoutCancel timeout",
       [] {
         auto const [ctx, cancel] = context::with_timeout(context::background(), 0s, too_slow);
         return context::without_cancel(ctx);
       },
       nullptr, nullptr},
  };
}

// Which of two comes first decides the child's cause.
context ended_in_order(bool parent_first, error of_parent, error of_child) {
  auto const [parent, cancel_parent] = context::with_cancel_cause(context::background());
  auto const [child, cancel_child] = context::with_cancel_cause(parent);
  if (parent_first) cancel_parent(of_parent);
  cancel_child(std::move(of_child));
  if (!parent_first) cancel_parent(std::move(of_parent));
  return child;
}

std::vector<cause_case> causes_of_two() {
  return {
      {"WithCancelCause: parent cause before child",
       [] { return ended_in_order(true, parent_cause, child_cause); }, context::canceled,
       parent_cause},
      {"WithCancelCause: parent cause after child",
       [] { return ended_in_order(false, parent_cause, child_cause); }, context::canceled,
       child_cause},
      {"WithCancelCause: parent cause before nil",
       [] { return ended_in_order(true, parent_cause, nullptr); }, context::canceled, parent_cause},
      {"WithCancelCause: parent cause after nil",
       [] { return ended_in_order(false, parent_cause, nullptr); }, context::canceled,
       context::canceled},
      {"WithCancelCause: child cause after nil",
       [] { return ended_in_order(true, nullptr, child_cause); }, context::canceled,
       context::canceled},
      {"WithCancelCause: child cause before nil",
       [] { return ended_in_order(false, nullptr, child_cause); }, context::canceled, child_cause},
      {"WithTimeoutCause stacked",
       [] {
         auto const [parent, cancel] = context::with_cancel_cause(context::background());
         auto const [ctx, cancel_child] = context::with_timeout(parent, 0s, too_slow);
         cancel(finished_early);
         return ctx;
       },
       context::deadline_exceeded, too_slow},
      {"WithTimeoutCause stacked canceled",
       [] {
         auto const [parent, cancel] = context::with_cancel_cause(context::background());
         auto const [ctx, cancel_child] = context::with_timeout(parent, very_long, too_slow);
         cancel(finished_early);
         return ctx;
       },
       context::canceled, finished_early},
  };
}

void expect_causes(std::vector<cause_case> const& cases) {
  for (cause_case const& at : cases) {
    context const ctx = at.make();
    EXPECT_EQ(ctx.err(), at.err) << at.name;
    EXPECT_EQ(ctx.cause(), at.cause) << at.name;
  }
}

TEST(go_context, TestCause) {
  expect_causes(causes_of_one());
  expect_causes(causes_of_two());
}

TEST(go_context, TestCauseRace) {
  for (int round = 0; round < 50; ++round) {
    auto [ctx, cancel] = context::with_cancel_cause(context::background());
    go([cancel = std::move(cancel)] { cancel(parent_cause); });
    error cause = ctx.cause();
    for (; !cause; cause = ctx.cause()) runtime::yield();
    EXPECT_EQ(cause, error(parent_cause));
  }
}

TEST(go_context, TestWithoutCancel) {
  auto const valued = context::with_value<key1>(context::background(), "value");
  context const ctx = context::without_cancel(valued);
  EXPECT_EQ(ctx.deadline(), std::nullopt);
  EXPECT_FALSE(ctx.done());
  EXPECT_FALSE(ctx.err());
  EXPECT_EQ(*ctx.value<key1>(), "value");
}

TEST(go_context, TestAfterFuncCalledAfterCancel) {
  auto const [ctx, cancel] = context::with_cancel(context::background());
  chan<unit> done(0);
  auto stop = context::after_func(ctx, [done] { done.close(); });
  runtime::yield();
  EXPECT_EQ(select(recv(done), otherwise()), 1) << "called before the end";
  cancel();
  done.recv();
  EXPECT_FALSE(stop());
}

TEST(go_context, TestAfterFuncCalledAfterTimeout) {
  auto const [ctx, cancel] = context::with_timeout(context::background(), 1ms);
  chan<unit> done(0);
  auto const stop = context::after_func(ctx, [done] { done.close(); });
  done.recv();
}

TEST(go_context, TestAfterFuncCalledImmediately) {
  auto const [ctx, cancel] = context::with_cancel(context::background());
  cancel();
  chan<unit> done(0);
  auto const stop = context::after_func(ctx, [done] { done.close(); });
  done.recv();
}

TEST(go_context, TestAfterFuncNotCalledAfterStop) {
  auto const [ctx, cancel] = context::with_cancel(context::background());
  auto const held = std::make_shared<int>(0);
  auto stop = context::after_func(ctx, [held] { ++*held; });
  EXPECT_TRUE(stop());
  EXPECT_EQ(held.use_count(), 1) << "a function that is gone cannot be called";
  cancel();
  EXPECT_FALSE(stop());
  EXPECT_EQ(*held, 0);
}

TEST(go_context, TestAfterFuncCalledAsynchronously) {
  auto const [ctx, cancel] = context::with_cancel(context::background());
  chan<unit> done(0);
  auto const stop = context::after_func(ctx, [done] { done.send({}); });
  cancel();  // does not wait for the function, which waits for us
  done.recv();
}

TEST(go_context, TestContextErrDoneRace) {
  for (int round = 0; round < 200; ++round) {
    auto [ctx, cancel] = context::with_cancel(context::background());
    auto const done = ctx.done();
    go([cancel = std::move(cancel)] { cancel(); });
    while (!ctx.err()) runtime::yield();
    EXPECT_EQ(select(recv(done), otherwise()), 0) << "err() is set and done() is not closed";
  }
}

}  // namespace
}  // namespace vole
