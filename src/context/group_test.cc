// SPDX-License-Identifier: Apache-2.0
// errgroup, task, scope and singleflight.
#include <gtest/gtest.h>
#include <memory>
#include <stdexcept>
#include <vector>

#include "vole/chan.h"
#include "vole/errgroup.h"
#include "vole/internal/atomic.h"
#include "vole/runtime.h"
#include "vole/singleflight.h"
#include "vole/sync.h"
#include "vole/task.h"
#include "vole/testing.h"
#include "vole/time.h"

namespace vole {
namespace {

using namespace std::chrono_literals;

inline constinit errors::sentinel const boom{"boom"};
inline constinit errors::sentinel const late{"late"};

context const& live() {
  static context const ctx = context::background();
  return ctx;
}

TEST(errgroup, waits_for_all_and_is_null_when_all_went_well) {
  internal::atomic<int> done{0};
  errgroup::group g(live());
  for (int i = 0; i < 100; ++i) {
    g.go([&]() -> error {
      done.fetch_add(1);
      return nullptr;
    });
  }
  EXPECT_FALSE(g.wait());
  EXPECT_EQ(done.load(), 100);
}

TEST(errgroup, first_error_cancels_the_others_and_is_the_groups) {
  errgroup::group g(live());
  for (int i = 0; i < 10; ++i) {
    g.go([](context const& ctx) -> error {
      static_cast<void>(ctx.done().recv());
      EXPECT_TRUE(errors::is(ctx.cause(), boom));
      return late;
    });
  }
  g.go([]() -> error { return boom; });
  EXPECT_TRUE(errors::is(g.wait(), boom));
}

TEST(errgroup, context_ends_when_wait_returns) {
  errgroup::group g(live());
  g.go([] { return result<void>(); });
  context const ctx = g.ctx();
  EXPECT_FALSE(ctx.err());
  EXPECT_FALSE(g.wait());
  EXPECT_TRUE(errors::is(ctx.err(), context::canceled));
}

TEST(errgroup, ends_with_its_parent) {
  auto [parent, cancel] = context::with_cancel(live());
  errgroup::group g(parent);
  g.go([](context const& ctx) { return time::sleep(ctx, 1h); });
  cancel();
  EXPECT_TRUE(errors::is(g.wait(), context::canceled));
}

TEST(errgroup, runs_no_more_than_its_limit_at_once) {
  errgroup::group g(live());
  g.set_limit(3);
  internal::atomic<int> running{0};
  internal::atomic<int> most{0};
  for (int i = 0; i < 50; ++i) {
    g.go([&](context const& ctx) -> error {
      int const now = running.fetch_add(1) + 1;
      int seen = most.load();
      while (seen < now && !most.compare_exchange_weak(seen, now)) {
      }
      error err = time::sleep(ctx, 50us);
      running.fetch_sub(1);
      return err;
    });
  }
  EXPECT_FALSE(g.wait());
  EXPECT_LE(most.load(), 3);
  EXPECT_GE(most.load(), 1);
}

TEST(errgroup, try_go_does_not_wait_for_a_slot) {
  errgroup::group g(live());
  g.set_limit(1);
  chan<unit> finish(0);
  EXPECT_TRUE(g.try_go([finish]() -> error {
    finish.recv();
    return nullptr;
  }));
  EXPECT_FALSE(g.try_go([]() -> error { return boom; }));
  finish.close();
  EXPECT_FALSE(g.wait());
}

TEST(errgroup, left_early_cancels_and_waits) {
  bool ended = false;
  {
    errgroup::group g(live());
    g.go([&](context const& ctx) {
      error err = time::sleep(ctx, 1h);
      ended = true;
      return err;
    });
  }
  EXPECT_TRUE(ended);
}

TEST(errgroup, functions_are_gone_with_all_they_captured_when_wait_returns) {
  auto const shared = std::make_shared<int>(1);
  errgroup::group g(live());
  for (int i = 0; i < 20; ++i) {
    g.go([shared]() -> error { return nullptr; });
  }
  EXPECT_FALSE(g.wait());
  EXPECT_EQ(shared.use_count(), 1);
}

TEST(errgroup_death, refuses_a_limit_too_late_or_too_low) {
  EXPECT_DEATH(errgroup::group(live()).set_limit(0), "a limit of 0");
  EXPECT_DEATH(
      {
        errgroup::group g(live());
        g.go([]() -> error { return nullptr; });
        g.set_limit(1);
      },
      "before the first go");
}

// What is captured from a const variable is const itself: moving from it would leave a copy behind.
TEST(errgroup, captures_are_gone_when_wait_returns) {
  for (int round = 0; round < 300; ++round) {
    auto const held = std::make_shared<int>(1);
    errgroup::group g(live());
    g.go([held]() -> error {
      runtime::yield();
      return nullptr;
    });
    EXPECT_FALSE(g.wait());
    EXPECT_EQ(held.use_count(), 1);
  }
}

TEST(scope, captures_are_gone_when_it_is_left) {
  for (int round = 0; round < 300; ++round) {
    auto const held = std::make_shared<int>(1);
    {
      scope s(live());
      s.go([held] { runtime::yield(); });
      task<int> const dropped = s.spawn([held] { return *held; });
    }
    EXPECT_EQ(held.use_count(), 1);
  }
}

TEST(task, gets_what_the_function_returned) {
  EXPECT_EQ(*spawn([] { return 42; }).get(live()), 42);
  EXPECT_EQ(**spawn([] { return std::make_unique<int>(7); }).get(live()), 7);
  EXPECT_FALSE(spawn([] {}).get(live()));
  EXPECT_TRUE(errors::is(spawn([]() -> error { return boom; }).get(live()), boom));
  EXPECT_TRUE(errors::is(spawn([]() -> result<int> { return boom; }).get(live()).error(), boom));
  EXPECT_EQ(*spawn([]() -> result<int> { return 1; }).get(live()), 1);
}

TEST(task, may_be_asked_again_when_the_context_ended_first) {
  chan<int> c(0);
  task<int> t = spawn([c] { return c.recv().value(); });
  auto [ctx, cancel] = context::with_timeout(live(), 1ms);
  EXPECT_TRUE(errors::is(t.get(ctx).error(), context::deadline_exceeded));
  EXPECT_FALSE(t.ready());
  EXPECT_FALSE(t.empty());
  c.send(5);
  EXPECT_EQ(*t.get(live()), 5);
  EXPECT_TRUE(t.empty());
}

TEST(task, dropped_lets_the_goroutine_end_by_itself) {
  chan<unit> finish(0);
  auto const held = std::make_shared<int>(1);
  {
    task<std::shared_ptr<int>> const dropped = spawn([finish, held] {
      finish.recv();
      return held;
    });
  }
  finish.close();
}

TEST(task, moves_and_is_assigned) {
  task<int> a = spawn([] { return 1; });
  task<int> b = spawn([] { return 2; });
  a = std::move(b);
  EXPECT_TRUE(b.empty());  // NOLINT: what a moved-from task is, is what is tested
  EXPECT_EQ(*a.get(live()), 2);
}

TEST(task, says_that_its_function_s_exception_went_to_the_hook) {
  spawn_options options;
  options.on_exception = [](std::exception_ptr) {};
  EXPECT_TRUE(errors::is(spawn(options, []() -> int { throw 1; }).get(live()).error(), task_threw));
  EXPECT_TRUE(errors::is(spawn(options, [] { throw 1; }).get(live()), task_threw));
}

using singleflight_of_int = singleflight::group<int, int>;  // EXPECT_DEATH takes no comma

TEST(task_death, of_an_exception_shows_who_threw_it) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(static_cast<void>(spawn([] { throw std::runtime_error("lost"); }).get(live())),
               "ended by an exception std::runtime_error: lost");
  EXPECT_DEATH(
      {
        errgroup::group g(live());
        g.go([]() -> error { throw std::runtime_error("lost"); });
        static_cast<void>(g.wait());
      },
      "ended by an exception std::runtime_error: lost");
  EXPECT_DEATH(
      {
        singleflight_of_int g;
        auto const lose = [](context const&) -> int { throw std::runtime_error("lost"); };
        static_cast<void>(g.run(live(), 1, lose));
      },
      "ended by an exception std::runtime_error: lost");
}

TEST(task_death, has_nothing_to_give_twice) {
  EXPECT_DEATH(
      {
        task<int> t = spawn([] { return 1; });
        static_cast<void>(t.get(live()));
        static_cast<void>(t.get(live()));
      },
      "holds nothing");
}

TEST(scheduling_class, is_inherited_by_groups_tasks_and_what_runs_later) {
  auto const in_background = [] { return runtime::scheduling() == scheduling_class::background; };
  spawn_options const background{.scheduling = scheduling_class::background};
  auto caller = spawn(background, [&] {
    EXPECT_TRUE(in_background());
    errgroup::group g(live());
    g.go([&]() -> error {
      EXPECT_TRUE(in_background());
      return nullptr;
    });
    EXPECT_FALSE(g.wait());
    {
      scope s(live());
      s.go([&] { EXPECT_TRUE(in_background()); });
      EXPECT_TRUE(s.spawn(in_background).get(live()).value());
    }
    sync::wait_group wg;
    wg.go([&] { EXPECT_TRUE(in_background()); });
    wg.go({.scheduling = scheduling_class::foreground}, [&] { EXPECT_FALSE(in_background()); });
    wg.wait();
    EXPECT_TRUE(spawn(in_background).get(live()).value());
  });
  ASSERT_FALSE(caller.get(live()));
}

// A timer fires wherever it lies, and a context is ended by anybody.
TEST(scheduling_class, of_what_runs_later_is_that_of_who_asked_for_it) {
  auto const in_background = [] { return runtime::scheduling() == scheduling_class::background; };
  spawn_options const background{.scheduling = scheduling_class::background};
  chan<bool> const seen(0);
  auto [ctx, cancel] = context::with_cancel(live());
  auto [late_ctx, late_cancel] = context::with_timeout(live(), 1ms);
  auto asks = [&] {
    static_cast<void>(time::after_func(1ms, [=] { seen.send(in_background()); }));
    EXPECT_EQ(seen.recv(), true);
    context::after_func(late_ctx, [=] { seen.send(in_background()); }).detach();
    EXPECT_EQ(seen.recv(), true);
    context::after_func(late_ctx, [=] { seen.send(in_background()); }).detach();
    EXPECT_EQ(seen.recv(), true);  // it has ended by now
    context::after_func(ctx, [=] { seen.send(in_background()); }).detach();
  };
  auto asked = spawn(background, asks);
  ASSERT_FALSE(asked.get(live()));
  context::after_func(ctx, [=] { seen.send(in_background()); }).detach();
  auto canceled = spawn(background, [&] { cancel(); });
  bool const one = seen.recv().value();
  EXPECT_NE(seen.recv(), one);
  ASSERT_FALSE(canceled.get(live()));
}

TEST(scope, waits_for_its_goroutines) {
  int sum = 0;
  chan<int> numbers(0);
  {
    scope s(live());
    s.go([&] {
      for (int const n : numbers) sum += n;
    });
    for (int i = 1; i <= 10; ++i) numbers.send(i);
    numbers.close();
  }
  EXPECT_EQ(sum, 55);
}

TEST(scope, gives_its_context_and_cancels_when_told) {
  scope s(live());
  task<void> t = s.spawn([](context const& ctx) { return time::sleep(ctx, 1h); });
  s.cancel(boom);
  s.wait();
  EXPECT_TRUE(t.ready() || !t.empty());
  EXPECT_TRUE(errors::is(t.get(live()), context::canceled));
  EXPECT_TRUE(errors::is(s.ctx().cause(), boom));
}

TEST(scope, is_not_left_before_a_spawned_function_has_gone) {
  for (int round = 0; round < 100; ++round) {
    std::vector<int> local(10, 1);
    task<int> sum;
    {
      scope s(live());
      sum = s.spawn([&local] {
        int total = 0;
        for (int const n : local) total += n;
        return total;
      });
    }
    local.clear();
    EXPECT_EQ(*sum.get(live()), 10);
  }
}

// More than a goroutine has that was not given more.
[[gnu::noinline]] void use_half_a_mebibyte() {
  char frame[512 << 10];
  frame[0] = 1;
  asm volatile("" ::"r"(frame) : "memory");
}

TEST(errgroup, members_have_the_stack_that_was_asked_for) {
  errgroup::group g(live(), {.stack_bytes = 1 << 20});
  for (int i = 0; i < 2; ++i) {
    auto const member = [](context const&) -> error {
      use_half_a_mebibyte();
      return nullptr;
    };
    if (i == 0) {
      g.go(member);
    } else {
      EXPECT_TRUE(g.try_go(member));
    }
  }
  EXPECT_FALSE(g.wait());
}

TEST(scope, members_have_the_stack_that_was_asked_for) {
  scope s(live(), {.stack_bytes = 1 << 20});
  s.go([] { use_half_a_mebibyte(); });
  EXPECT_FALSE(s.spawn([] { use_half_a_mebibyte(); }).get(live()));
}

TEST(singleflight, shares_one_call_among_all_who_ask_meanwhile) {
  singleflight::group<std::string, int> group;
  internal::atomic<int> calls{0};
  chan<unit> finish(0);
  std::vector<task<int>> asked;
  for (int i = 0; i < 10; ++i) {
    asked.push_back(spawn([&]() -> result<int> {
      return group.run(live(), "key", [&](context const&) {
        calls.fetch_add(1);
        finish.recv();
        return 42;
      });
    }));
  }
  testing::wait_until_parked(10);
  finish.close();
  for (task<int>& one : asked) EXPECT_EQ(*one.get(live()), 42);
  EXPECT_EQ(calls.load(), 1);
  EXPECT_EQ(*group.run(live(), "key", [](context const&) { return 43; }), 43);
}

TEST(singleflight, gives_the_error_to_all) {
  singleflight::group<int, int> group;
  result<int> const r = group.run(live(), 1, [](context const&) -> result<int> { return boom; });
  EXPECT_TRUE(errors::is(r.error(), boom));
}

void goes_on_when_another_leaves(context const& patient_ctx, std::size_t parked_for_it) {
  singleflight::group<int, int> group;
  chan<unit> finish(0);
  auto const load = [&](context const& ctx) -> result<int> {
    VOLE_TRY(recv(ctx, finish), "load");
    return 1;
  };
  auto [hasty, cancel] = context::with_cancel(live());
  task<int> patient = spawn([&] { return group.run(patient_ctx, 1, load); });
  testing::wait_until_parked(parked_for_it);
  task<int> leaving = spawn([&, hasty = hasty] { return group.run(hasty, 1, load); });
  testing::wait_until_parked(parked_for_it + 1);
  cancel();
  EXPECT_TRUE(errors::is(leaving.get(live()).error(), context::canceled));
  finish.close();
  EXPECT_EQ(*patient.get(live()), 1);
}

TEST(singleflight, goes_on_for_the_others_when_one_leaves) {
  auto const [ctx, cancel] = context::with_cancel(live());
  goes_on_when_another_leaves(ctx, 2);  // the caller, and who calls for it
  goes_on_when_another_leaves(live(), 1);
}

TEST(singleflight, is_called_by_a_caller_that_cannot_leave) {
  singleflight::group<int, bool> group;
  auto const caller_calls = [caller = runtime::goroutine_id()](context const&) {
    return runtime::goroutine_id() == caller;
  };
  EXPECT_TRUE(*group.run(live(), 1, caller_calls));
  auto const [ctx, cancel] = context::with_cancel(live());
  EXPECT_FALSE(*group.run(ctx, 1, caller_calls));
}

TEST(singleflight, is_canceled_when_the_last_has_left) {
  singleflight::group<int, int> group;
  chan<error> ended(1);
  auto [ctx, cancel] = context::with_timeout(live(), 1ms);
  result<int> const r = group.run(ctx, 1, [ended](context const& flight) -> result<int> {
    ended.send(time::sleep(flight, 1h));
    return 1;
  });
  EXPECT_TRUE(errors::is(r.error(), context::deadline_exceeded));
  EXPECT_TRUE(errors::is(ended.recv().value(), context::canceled));
}

TEST(singleflight, holds_nobody_up_when_a_call_could_not_be_started) {
  struct call {
    int copies_left;
    explicit call(int copies) : copies_left(copies) {}
    call(call const& from) : copies_left(from.copies_left - 1) {
      if (copies_left < 0) throw std::length_error("one copy too many");
    }
    call(call&&) = default;
    int operator()(context const&) const { return 1; }
  };
  singleflight::group<int, int> group;
  call const dear(0), cheap(1);
  auto const [ctx, cancel] = context::with_cancel(live());
  EXPECT_THROW(static_cast<void>(group.run(ctx, 1, dear)), std::length_error);
  EXPECT_EQ(*group.run(ctx, 1, cheap), 1);
}

TEST(singleflight, forgotten_calls_anew) {
  singleflight::group<int, int> group;
  chan<unit> finish(0);
  task<int> first = spawn([&] {
    return group.run(live(), 1, [&](context const&) {
      finish.recv();
      return 1;
    });
  });
  testing::wait_until_parked(1);
  group.forget(1);
  EXPECT_EQ(*group.run(live(), 1, [](context const&) { return 2; }), 2);
  finish.close();
  EXPECT_EQ(*first.get(live()), 1);
}

}  // namespace
}  // namespace vole
