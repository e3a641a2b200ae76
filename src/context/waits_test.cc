// SPDX-License-Identifier: Apache-2.0
// Every wait that takes a context ends by its cancel and by its deadline, and otherwise does its
// work.
#include <functional>
#include <gtest/gtest.h>
#include <memory>

#include "vole/chan.h"
#include "vole/context.h"
#include "vole/go.h"
#include "vole/select.h"
#include "vole/sync/cond.h"
#include "vole/sync/mutex.h"
#include "vole/sync/once.h"
#include "vole/sync/rw_mutex.h"
#include "vole/sync/semaphore.h"
#include "vole/sync/wait_group.h"
#include "vole/testing.h"
#include "vole/time.h"

namespace vole {
namespace {

using namespace std::chrono_literals;

// expect_ended runs a wait that nothing but its context ends: by a cancel while parked, by a
// deadline while parked, and when the context has ended before.
void expect_ended(std::function<error(context const&)> const& wait) {
  {
    auto [ctx, cancel] = context::with_cancel(context::background());
    chan<error> ended(0);
    go([&wait, ctx = ctx, ended] { ended.send(wait(ctx)); });
    testing::wait_until_parked(1);
    cancel();
    error const err = ended.recv().value();
    EXPECT_TRUE(errors::is(err, context::canceled)) << err.message();
    error const again = wait(ctx);
    EXPECT_TRUE(errors::is(again, context::canceled)) << again.message();
  }
  {
    auto [parent, cancel] = context::with_timeout(context::background(), 2ms);
    auto [ctx, cancel_child] = context::with_cancel(parent);
    error const err = wait(ctx);
    EXPECT_TRUE(errors::is(err, context::deadline_exceeded)) << err.message();
  }
}

// What lock(ctx, mu) has locked; clang's analysis does not know that it has.
template <class M>
void unlock(M& mu) VOLE_NO_THREAD_SAFETY_ANALYSIS {
  mu.unlock();
}
template <class M>
void runlock(M& mu) VOLE_NO_THREAD_SAFETY_ANALYSIS {
  mu.runlock();
}

bool is_locked(sync::mutex& mu) {
  if (!mu.try_lock()) return true;
  mu.unlock();
  return false;
}

context const& live() {
  static context const ctx = context::background();
  return ctx;
}

TEST(context_waits, recv) {
  chan<int> c(1);
  expect_ended([&](context const& ctx) { return recv(ctx, c).error(); });
  expect_ended([&](context const& ctx) { return recv(ctx, recv_chan<int>(c)).error(); });
  expect_ended([&](context const& ctx) { return recv(ctx, chan<int>()).error(); });
  c.send(7);
  EXPECT_EQ(*recv(live(), c), 7);
  c.close();
  result<std::optional<int>> const closed = recv(live(), c);
  ASSERT_TRUE(closed);
  EXPECT_EQ(*closed, std::nullopt);
}

TEST(context_waits, send) {
  chan<std::unique_ptr<int>> c(0);
  auto value = std::make_unique<int>(1);
  expect_ended([&](context const& ctx) { return send(ctx, c, std::move(value)); });
  ASSERT_NE(value, nullptr) << "what was not sent is still here";
  go([c] { c.recv(); });
  EXPECT_FALSE(send(live(), c, std::move(value)));
  EXPECT_EQ(value, nullptr);
  expect_ended([&](context const& ctx) { return send(ctx, chan<int>(), 1); });
}

TEST(context_waits, select) {
  chan<int> a(0);
  chan<int> b(1);
  expect_ended([&](context const& ctx) { return select(ctx, recv(a), send(a, 1)).error(); });
  EXPECT_EQ(*select(live(), recv(a), send(b, 5)), 1);
  int got = 0;
  EXPECT_EQ(*select(live(), recv(a), recv(b, &got)), 1);
  EXPECT_EQ(got, 5);
  EXPECT_EQ(*select(live(), recv(a), otherwise()), 1);
}

TEST(context_waits, lock) {
  sync::mutex mu;
  {
    sync::lock_guard const other(mu);
    expect_ended([&](context const& ctx) { return lock(ctx, mu); });
    expect_ended([&](context const& ctx) { return hold(ctx, mu).error(); });
  }
  EXPECT_FALSE(lock(live(), mu));
  EXPECT_TRUE(is_locked(mu));
  unlock(mu);
  {
    auto const held = hold(live(), mu);
    EXPECT_TRUE(is_locked(mu));
  }
  EXPECT_FALSE(is_locked(mu));
}

TEST(context_waits, lock_and_rlock_of_a_rw_mutex) {
  sync::rw_mutex mu;
  {
    sync::write_guard const other(mu);
    expect_ended([&](context const& ctx) { return rlock(ctx, mu); });
    expect_ended([&](context const& ctx) { return lock(ctx, mu); });
    expect_ended([&](context const& ctx) { return hold_read(ctx, mu).error(); });
  }
  EXPECT_FALSE(rlock(live(), mu));
  {
    EXPECT_TRUE(hold_read(live(), mu));
  }
  runlock(mu);
  EXPECT_FALSE(lock(live(), mu));
  unlock(mu);
}

TEST(context_waits, wait_of_a_wait_group) {
  sync::wait_group wg;
  wg.add(1);
  expect_ended([&](context const& ctx) { return wait(ctx, wg); });
  wg.done();
  EXPECT_FALSE(wait(live(), wg));
}

TEST(context_waits, wait_of_a_cond) {
  sync::mutex mu;
  sync::cond changed(mu);
  expect_ended([&](context const& ctx) {
    sync::lock_guard const lock(mu);
    return wait(ctx, changed);  // the guard's mutex is the cond's
  });
  EXPECT_FALSE(is_locked(mu));
}

TEST(context_waits, acquire) {
  sync::semaphore sem(2);
  sem.acquire(2);
  expect_ended([&](context const& ctx) { return acquire(ctx, sem); });
  expect_ended([&](context const& ctx) { return acquire(ctx, sem, 3); });
  sem.release(2);
  EXPECT_FALSE(acquire(live(), sem, 2));
  sem.release(2);
}

TEST(context_waits, call_of_a_once_that_runs) {
  sync::once once;
  chan<unit> finish(0);
  sync::wait_group runner;
  runner.go([&once, finish] { once.call([&] { finish.recv(); }); });
  testing::wait_until_parked(1);
  auto [ctx, cancel] = context::with_timeout(context::background(), 2ms);
  EXPECT_TRUE(errors::is(call(ctx, once, [] { panic("run twice"); }), context::deadline_exceeded));
  finish.close();
  EXPECT_FALSE(call(live(), once, [] { panic("run twice"); }));
  runner.wait();
}

TEST(context_waits, sleep) {
  expect_ended([](context const& ctx) { return time::sleep(ctx, 1h); });
  auto [ctx, cancel] = context::with_timeout(context::background(), 1h);
  time_point const start = time::now();
  EXPECT_FALSE(time::sleep(ctx, 2ms));
  EXPECT_GE(time::now() - start, 2ms);
  EXPECT_FALSE(time::sleep(live(), -1s));
}

TEST(context_waits, of_a_plain_thread_end_too) {
  auto [ctx, cancel] = context::with_timeout(context::background(), 2ms);
  chan<int> c(0);
  chan<error> ended(1);
  blocking([&, ctx = ctx] {
    EXPECT_TRUE(errors::is(recv(ctx, c).error(), context::deadline_exceeded));
  });
}

}  // namespace
}  // namespace vole
