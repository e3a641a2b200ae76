// SPDX-License-Identifier: Apache-2.0
#include "vole/context.h"

#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <vector>

#include "vole/chan.h"
#include "vole/go.h"
#include "vole/runtime.h"
#include "vole/sync/wait_group.h"
#include "vole/testing.h"
#include "vole/time.h"

namespace vole {
namespace {

using namespace std::chrono_literals;

inline constinit errors::sentinel const boom{"boom"};
inline constinit errors::sentinel const late{"late"};

struct request_id {
  using value_type = std::string;
};
struct user_name {
  using value_type = std::string;
};
struct shared_number {
  using value_type = std::shared_ptr<int>;
};

time_point long_ago() {
  return time::now() - 1h;
}

TEST(context, background_never_ends) {
  context const ctx = context::background();
  EXPECT_FALSE(ctx.err());
  EXPECT_FALSE(ctx.cause());
  EXPECT_EQ(ctx.deadline(), std::nullopt);
  EXPECT_FALSE(ctx.done());
  EXPECT_EQ(ctx, context::todo());
}

TEST(context, cancel_ends_it_for_good) {
  auto [ctx, cancel] = context::with_cancel(context::background());
  EXPECT_FALSE(ctx.err());
  cancel();
  EXPECT_TRUE(errors::is(ctx.err(), context::canceled));
  EXPECT_TRUE(errors::is(ctx.cause(), context::canceled));
  cancel(boom);
  EXPECT_TRUE(errors::is(ctx.cause(), context::canceled));
  EXPECT_FALSE(errors::is(ctx.cause(), boom));
}

TEST(context, cause_is_what_the_canceler_gave) {
  auto [ctx, cancel] = context::with_cancel_cause(context::background());
  cancel(boom);
  EXPECT_TRUE(errors::is(ctx.err(), context::canceled));
  EXPECT_TRUE(errors::is(ctx.cause(), boom));
}

TEST(context, ends_when_its_handle_goes) {
  context kept;
  {
    auto [ctx, cancel] = context::with_cancel(context::background());
    kept = ctx;
    EXPECT_FALSE(kept.err());
  }
  EXPECT_TRUE(errors::is(kept.err(), context::canceled));
}

TEST(context, a_handle_that_is_assigned_over_ends_its_context) {
  auto [first, cancel] = context::with_cancel(context::background());
  auto [second, other] = context::with_cancel(context::background());
  cancel = std::move(other);
  EXPECT_TRUE(first.err());
  EXPECT_FALSE(second.err());
  cancel();
  EXPECT_TRUE(second.err());
}

TEST(context, the_end_of_a_parent_is_the_end_of_its_children) {
  auto [parent, cancel_parent] = context::with_cancel(context::background());
  auto [child, cancel_child] = context::with_cancel(parent);
  auto [grandchild, cancel_grandchild] = context::with_timeout(child, 1h);
  cancel_parent(boom);
  EXPECT_TRUE(errors::is(grandchild.err(), context::canceled));
  EXPECT_TRUE(errors::is(grandchild.cause(), boom));
}

TEST(context, the_end_of_a_child_is_nothing_to_its_parent) {
  auto [parent, cancel_parent] = context::with_cancel(context::background());
  auto [child, cancel_child] = context::with_cancel(parent);
  auto [sibling, cancel_sibling] = context::with_cancel(parent);
  cancel_child();
  EXPECT_TRUE(child.err());
  EXPECT_FALSE(parent.err());
  EXPECT_FALSE(sibling.err());
}

TEST(context, a_child_of_an_ended_parent_is_born_ended) {
  auto [parent, cancel_parent] = context::with_cancel(context::background());
  cancel_parent(boom);
  auto [child, cancel_child] = context::with_cancel(parent);
  EXPECT_TRUE(errors::is(child.err(), context::canceled));
  EXPECT_TRUE(errors::is(child.cause(), boom));
}

TEST(context_deadline, has_ended_as_soon_as_its_deadline_has_passed) {
  auto [ctx, cancel] = context::with_deadline(context::background(), long_ago());
  EXPECT_TRUE(errors::is(ctx.err(), context::deadline_exceeded));
  EXPECT_TRUE(errors::is(ctx.cause(), context::deadline_exceeded));
  cancel();
  EXPECT_TRUE(errors::is(ctx.err(), context::deadline_exceeded));
}

TEST(context_deadline, ends_children_that_nobody_watches) {
  auto [parent, cancel_parent] = context::with_deadline(context::background(), long_ago(), boom);
  auto [child, cancel_child] = context::with_cancel(parent);
  EXPECT_TRUE(errors::is(child.err(), context::deadline_exceeded));
  EXPECT_TRUE(errors::is(child.cause(), boom));
}

TEST(context_deadline, is_the_earliest_of_all_above) {
  time_point const soon = time::now() + 1h;
  auto [parent, cancel_parent] = context::with_deadline(context::background(), soon);
  auto [later, cancel_later] = context::with_deadline(parent, soon + 1h);
  auto [sooner, cancel_sooner] = context::with_deadline(parent, soon - 1min);
  EXPECT_EQ(later.deadline(), soon);
  EXPECT_EQ(sooner.deadline(), soon - 1min);
}

TEST(context_deadline, of_the_far_future_is_none) {
  auto [ctx, cancel] = context::with_timeout(context::background(), duration::max());
  EXPECT_EQ(ctx.deadline(), std::nullopt);
  EXPECT_FALSE(ctx.err());
}

TEST(context_deadline, costs_no_timer_until_somebody_watches) {
  std::size_t const timers = runtime::read_stats().timers;
  auto [parent, cancel_parent] = context::with_timeout(context::background(), 1h);
  std::vector<std::pair<context, cancel_handle>> children;
  for (int i = 0; i < 10; ++i) children.push_back(context::with_timeout(parent, 2h));
  EXPECT_EQ(runtime::read_stats().timers, timers);
  for (auto const& [child, cancel] : children) EXPECT_TRUE(child.done());
  EXPECT_EQ(runtime::read_stats().timers, timers + 1);
  cancel_parent();
  EXPECT_EQ(runtime::read_stats().timers, timers);
}

TEST(context_done, is_closed_at_the_end) {
  auto [ctx, cancel] = context::with_cancel(context::background());
  recv_chan<unit> const done = ctx.done();
  EXPECT_EQ(done, ctx.done());
  chan<bool> ended(0);
  go([ctx = ctx, done, ended] {
    done.recv();
    ended.send(static_cast<bool>(ctx.err()));
  });
  testing::wait_until_parked(1);
  cancel();
  EXPECT_EQ(ended.recv(), true);
}

TEST(context_done, is_closed_by_the_deadline) {
  auto [parent, cancel_parent] = context::with_timeout(context::background(), 1ms, boom);
  auto [child, cancel_child] = context::with_cancel(parent);
  EXPECT_FALSE(child.done().recv());
  EXPECT_TRUE(errors::is(child.err(), context::deadline_exceeded));
  EXPECT_TRUE(errors::is(child.cause(), boom));
}

TEST(context_done, of_an_ended_context_is_closed) {
  auto [ctx, cancel] = context::with_cancel(context::background());
  cancel();
  EXPECT_FALSE(ctx.done().recv());
  auto [past, cancel_past] = context::with_deadline(context::background(), long_ago());
  EXPECT_FALSE(past.done().recv());
}

TEST(context_value, is_found_by_its_key_alone) {
  auto const ctx = context::with_value<request_id>(context::background(), "req-1");
  ASSERT_NE(ctx.value<request_id>(), nullptr);
  EXPECT_EQ(*ctx.value<request_id>(), "req-1");
  EXPECT_EQ(ctx.value<user_name>(), nullptr);
  EXPECT_EQ(context::background().value<request_id>(), nullptr);
}

TEST(context_value, is_inherited_and_may_be_hidden_below) {
  auto const outer = context::with_value<request_id>(context::background(), "outer");
  auto [middle, cancel] = context::with_timeout(outer, 1h);
  auto const named = context::with_value<user_name>(middle, "ann");
  auto const inner = context::with_value<request_id>(named, "inner");
  EXPECT_EQ(*middle.value<request_id>(), "outer");
  EXPECT_EQ(*inner.value<request_id>(), "inner");
  EXPECT_EQ(*inner.value<user_name>(), "ann");
  EXPECT_EQ(*named.value<request_id>(), "outer");
  cancel();
  EXPECT_TRUE(inner.err());
}

TEST(context_without_cancel, keeps_the_values_and_drops_the_ends) {
  auto const outer = context::with_value<request_id>(context::background(), "req-1");
  auto [ctx, cancel] = context::with_timeout(outer, 1h);
  context const free = context::without_cancel(ctx);
  cancel();
  EXPECT_FALSE(free.err());
  EXPECT_EQ(free.deadline(), std::nullopt);
  EXPECT_EQ(*free.value<request_id>(), "req-1");
  auto [below, cancel_below] = context::with_cancel(free);
  EXPECT_FALSE(below.err());
}

TEST(context_after_func, runs_at_the_end) {
  auto [ctx, cancel] = context::with_cancel(context::background());
  chan<int> ran(1);
  auto const stop = context::after_func(ctx, [ran] { ran.send(1); });
  EXPECT_EQ(ran.try_recv(), std::nullopt);
  cancel();
  EXPECT_EQ(ran.recv(), 1);
}

TEST(context_after_func, runs_at_once_when_the_context_has_ended) {
  auto [ctx, cancel] = context::with_cancel(context::background());
  cancel();
  chan<int> ran(1);
  auto stop = context::after_func(ctx, [ran] { ran.send(1); });
  EXPECT_EQ(ran.recv(), 1);
  EXPECT_FALSE(stop());
}

TEST(context_after_func, runs_at_the_deadline) {
  auto [ctx, cancel] = context::with_timeout(context::background(), 1ms);
  chan<int> ran(1);
  auto const stop = context::after_func(ctx, [ran] { ran.send(1); });
  EXPECT_EQ(ran.recv(), 1);
}

TEST(context_after_func, does_not_run_once_stopped) {
  auto [ctx, cancel] = context::with_cancel(context::background());
  chan<int> ran(4);
  auto stopped = context::after_func(ctx, [ran] { ran.send(1); });
  EXPECT_TRUE(stopped());
  EXPECT_FALSE(stopped());
  {
    auto const dropped = context::after_func(ctx, [ran] { ran.send(2); });
  }
  context::after_func(ctx, [ran] { ran.send(3); }).detach();
  cancel();
  EXPECT_EQ(ran.recv(), 3);
  EXPECT_EQ(ran.try_recv(), std::nullopt);
}

TEST(context_after_func, can_no_longer_be_stopped_when_it_has_run) {
  auto [ctx, cancel] = context::with_cancel(context::background());
  chan<int> ran(1);
  auto stop = context::after_func(ctx, [ran] { ran.send(1); });
  cancel();
  ran.recv();
  EXPECT_FALSE(stop());
}

TEST(context_after_func, of_background_never_runs) {
  auto stop = context::after_func(context::background(), [] { panic("background has ended"); });
  EXPECT_FALSE(stop());
}

// --- merge and stored

TEST(context_merge, ends_with_the_first_to_end) {
  auto [a, cancel_a] = context::with_cancel(context::background());
  auto [b, cancel_b] = context::with_cancel(context::background());
  auto [c, cancel_c] = context::with_cancel(b);
  auto [ctx, cancel] = context::merge(a, c);
  EXPECT_FALSE(ctx.err());
  cancel_b(boom);
  EXPECT_TRUE(errors::is(ctx.err(), context::canceled));
  EXPECT_TRUE(errors::is(ctx.cause(), boom));
  EXPECT_FALSE(a.err());
  auto [other, cancel_other] = context::merge(context::background(), a);
  cancel_a();
  EXPECT_FALSE(other.done().recv());
}

TEST(context_merge, has_the_earliest_deadline_with_its_cause_and_the_values_of_the_first) {
  auto const named = context::with_value<user_name>(context::background(), "ann");
  auto const other = context::with_value<user_name>(context::background(), "bob");
  auto [late, cancel_late] = context::with_timeout(named, 1h);
  auto [soon, cancel_soon] = context::with_timeout(other, 1ms, boom);
  auto [ctx, cancel] = context::merge(late, soon);
  EXPECT_EQ(ctx.deadline(), soon.deadline());
  EXPECT_EQ(*ctx.value<user_name>(), "ann");
  EXPECT_FALSE(ctx.done().recv());
  EXPECT_TRUE(errors::is(ctx.err(), context::deadline_exceeded));
  EXPECT_TRUE(errors::is(ctx.cause(), boom));
}

TEST(context_merge, of_ended_ones_is_born_ended_and_of_endless_ones_is_not) {
  auto [a, cancel_a] = context::with_cancel(context::background());
  cancel_a(boom);
  auto [b, cancel_b] = context::with_cancel(a);
  auto [ctx, cancel] = context::merge(context::background(), b);
  EXPECT_TRUE(errors::is(ctx.cause(), boom));
  auto [free, cancel_free] = context::merge(context::background(), context::todo());
  EXPECT_FALSE(free.err());
  cancel_free();
  EXPECT_TRUE(free.err());
}

TEST(context_merge, leaves_all_its_parents_when_it_ends) {
  auto const held = std::make_shared<int>(1);
  auto [a, cancel_a] = context::with_cancel(context::background());
  auto [b, cancel_b] = context::with_cancel(context::background());
  {
    auto const valued = context::with_value<shared_number>(a, held);
    auto [ctx, cancel] = context::merge(valued, b, a);
    EXPECT_TRUE(ctx.done());
  }
  EXPECT_EQ(held.use_count(), 1) << "a parent still holds the merged context";
  cancel_b();
  cancel_a();
}

TEST(context_stored, is_the_context_that_was_put_in) {
  auto [ctx, cancel] = context::with_cancel(context::background());
  context::stored const kept(ctx);
  EXPECT_EQ(kept.get(), ctx);
  context const& seen = kept;
  cancel();
  EXPECT_TRUE(seen.err());
}

// --- links

TEST(context_links, ended_contexts_leave_nothing_with_a_parent_that_lives_on) {
  auto const held = std::make_shared<int>(1);
  auto [root, cancel_root] = context::with_cancel(context::background());
  for (int i = 0; i < 1000; ++i) {
    auto const valued = context::with_value<shared_number>(root, held);
    auto [child, cancel] = context::with_timeout(valued, 1h);
    auto [below, cancel_below] = context::with_cancel(child);
    if (i % 4 == 0) {
      EXPECT_TRUE(below.done());
    } else if (i % 4 == 1) {
      EXPECT_FALSE(time::sleep(below, 1us));
    } else if (i % 4 == 2) {
      context::after_func(below, [held] {}).detach();
    }
    if (i % 2 == 0) cancel();
  }
  while (held.use_count() > 1) runtime::yield();  // the functions' goroutines
  EXPECT_FALSE(root.err());
}

TEST(context_links, an_end_above_is_seen_with_and_without_a_watcher) {
  for (bool const watched : {false, true}) {
    auto [root, cancel] = context::with_cancel(context::background());
    auto [a, cancel_a] = context::with_cancel(root);
    auto [b, cancel_b] = context::with_cancel(a);
    if (watched) {
      EXPECT_TRUE(b.done());
    }
    cancel(boom);
    cancel_b(late);
    EXPECT_TRUE(errors::is(b.cause(), boom)) << "what came first above is the end below";
    EXPECT_TRUE(errors::is(a.cause(), boom));
  }
}

TEST(context_links, a_wait_that_begins_after_an_end_above_returns_at_once) {
  auto [root, cancel] = context::with_cancel(context::background());
  auto [a, cancel_a] = context::with_cancel(root);
  auto [b, cancel_b] = context::with_cancel(a);
  cancel();
  EXPECT_TRUE(errors::is(time::sleep(b, 1h), context::canceled));
}

// --- large trees

constexpr int tree_size = 100'000;

TEST(context_tree, of_100000_that_are_watched_ends_with_its_root) {
  auto [root, cancel] = context::with_cancel(context::background());
  std::vector<std::pair<context, cancel_handle>> tree;
  tree.push_back(context::with_cancel(root));
  while (tree.size() < tree_size) {  // each node has ten children
    tree.push_back(context::with_cancel(tree[tree.size() / 10].first));
    EXPECT_TRUE(tree.back().first.done());
  }
  std::size_t const before = testing::parked();
  sync::wait_group sleepers;
  for (int i = 0; i < 100; ++i) {
    sleepers.go([ctx = tree[tree.size() - 1 - static_cast<std::size_t>(i)].first] {
      EXPECT_TRUE(errors::is(time::sleep(ctx, 1h), context::canceled));
    });
  }
  testing::wait_until_parked(before + 100);
  cancel(boom);
  sleepers.wait();
  for (auto const& [ctx, handle] : tree) {
    ASSERT_TRUE(errors::is(ctx.cause(), boom));
    ASSERT_FALSE(ctx.done().recv());
  }
}

TEST(context_tree, of_100000_children_ends_with_its_root) {
  auto [root, cancel] = context::with_cancel(context::background());
  std::vector<std::pair<context, cancel_handle>> children;
  for (int i = 0; i < tree_size; ++i) children.push_back(context::with_cancel(root));
  cancel(boom);
  for (auto const& [child, handle] : children) ASSERT_TRUE(errors::is(child.cause(), boom));
}

TEST(context_tree, of_depth_100000_ends_and_goes_without_recursion) {
  auto [root, cancel] = context::with_cancel(context::background());
  std::vector<cancel_handle> handles;
  context leaf = root;
  for (int i = 0; i < tree_size; ++i) {
    auto [child, handle] = context::with_cancel(leaf);
    handles.push_back(std::move(handle));
    leaf = context::with_value<request_id>(child, "x");
  }
  EXPECT_FALSE(leaf.err());
  cancel(boom);
  EXPECT_TRUE(errors::is(leaf.cause(), boom));
  handles.clear();
  leaf = {};  // the last reference to all of the chain
}

TEST(context_tree, ended_children_leave_a_parent_that_lives_on) {
  auto [root, cancel] = context::with_cancel(context::background());
  for (int i = 0; i < tree_size; ++i) {
    auto [child, handle] = context::with_timeout(root, 1h);
    if (i % 3 == 0) child.done();
    if (i % 3 == 1) handle();
  }
  EXPECT_FALSE(root.err());
}

// --- races: many goroutines do everything at once; the sanitizers judge

constinit internal::atomic<int> functions_run{0};  // they may run on after the test that armed them

TEST(context_race, cancel_against_birth_and_watch) {
  for (int round = 0; round < 200; ++round) {
    auto [root, cancel] = context::with_timeout(context::background(), 1h);
    sync::wait_group all;
    chan<unit> start(0);
    for (int i = 0; i < 8; ++i) {
      all.go([&, i, root = root] {
        start.recv();
        auto [child, handle] = context::with_cancel(root);
        auto stop = context::after_func(child, [] { functions_run.fetch_add(1); });
        if (i % 4 == 0) handle();
        if (i % 4 == 1) child.done().recv();
        if (i % 4 == 2) static_cast<void>(time::sleep(child, 1h));
        if (i % 4 == 3) stop();
      });
    }
    all.go([&, cancel = std::move(cancel)] {
      start.recv();
      cancel(boom);
    });
    start.close();
    all.wait();
    EXPECT_TRUE(root.err());
  }
}

TEST(context_race, deadline_against_cancel_and_watch) {
  for (int round = 0; round < 100; ++round) {
    auto [root, cancel] = context::with_timeout(context::background(), 200us);
    sync::wait_group all;
    for (int i = 0; i < 8; ++i) {
      all.go([i, root = root] {
        auto [child, handle] = context::with_cancel(root);
        if (i % 2 == 0) {
          child.done().recv();
        } else {
          EXPECT_TRUE(time::sleep(child, 1h));
        }
        EXPECT_TRUE(child.err());
      });
    }
    if (round % 2 == 0) cancel();
    all.wait();
  }
}

}  // namespace
}  // namespace vole
