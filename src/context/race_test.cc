// SPDX-License-Identifier: Apache-2.0
// A cancel against the very thing that a call waits for, at every park of chan, sync and context:
// whoever wins, nothing is lost and nothing is done twice.
#include <gtest/gtest.h>
#include <memory>

#include "vole/chan.h"
#include "vole/context.h"
#include "vole/errgroup.h"
#include "vole/select.h"
#include "vole/singleflight.h"
#include "vole/sync/cond.h"
#include "vole/sync/mutex.h"
#include "vole/sync/once.h"
#include "vole/sync/rw_mutex.h"
#include "vole/sync/semaphore.h"
#include "vole/sync/wait_group.h"
#include "vole/task.h"
#include "vole/time.h"

#include "testing/cancel_race.h"

namespace vole {
namespace {

using namespace std::chrono_literals;
using testing::race_cancel;

constexpr int rounds = 300;

// What lock(ctx, mu) has locked; clang's analysis does not know that it has.
template <class M>
void unlock(M& mu) VOLE_NO_THREAD_SAFETY_ANALYSIS {
  mu.unlock();
}
template <class M>
void runlock(M& mu) VOLE_NO_THREAD_SAFETY_ANALYSIS {
  mu.runlock();
}
template <class M>
void take(M& mu) VOLE_NO_THREAD_SAFETY_ANALYSIS {
  mu.lock();
}

TEST(cancel_race, recv_takes_no_element_when_canceled) {
  for (std::size_t const capacity : {0, 1}) {
    chan<int> const c(capacity);
    int sent = 0;
    int got = 0;
    race_cancel(
        101, rounds,
        [&](context const& ctx) {
          auto const element = recv(ctx, c);
          if (element && *element) ++got;
          return element.error();
        },
        [&](context const& over) { sent += send(over, c, 1) ? 0 : 1; },
        [&](error const&) {
          if (c.try_recv()) ++got;
          EXPECT_EQ(sent, got);
        });
  }
}

TEST(cancel_race, recv_of_a_channel_that_is_closed) {
  chan<int> c(0);
  race_cancel(
      102, rounds, [&](context const& ctx) { return recv(ctx, c).error(); },
      [&](context const&) { c.close(); }, [&](error const&) { c = chan<int>(0); });
}

TEST(cancel_race, send_keeps_what_it_did_not_send) {
  chan<std::unique_ptr<int>> const c(0);
  auto value = std::make_unique<int>(1);
  std::unique_ptr<int> taken;
  race_cancel(
      103, rounds, [&](context const& ctx) { return send(ctx, c, std::move(value)); },
      [&](context const& over) {
        if (auto got = recv(over, c)) taken = *std::move(*got);
      },
      [&](error const& err) {
        EXPECT_EQ(static_cast<bool>(err), value != nullptr);
        EXPECT_EQ(static_cast<bool>(err), taken == nullptr);
        if (value == nullptr) value = std::move(taken);
      });
}

TEST(cancel_race, select_carries_out_one_case_or_none) {
  chan<int> const a(0);
  chan<int> const b(0);
  int got = 0;
  int moved = 0;
  race_cancel(
      104, rounds,
      [&](context const& ctx) { return select(ctx, recv(a, &got), send(b, 2)).error(); },
      [&](context const& over) {
        int other = 0;
        if (select(over, send(a, 1), recv(b, &other))) ++moved;
      },
      [&](error const& err) {
        EXPECT_EQ(moved, err ? 0 : 1);
        moved = 0;
      });
}

TEST(cancel_race, lock_is_held_or_not) {
  sync::mutex mu;
  take(mu);
  race_cancel(
      105, rounds, [&](context const& ctx) { return lock(ctx, mu); },
      [&](context const&) { unlock(mu); },
      [&](error const& err) {
        EXPECT_EQ(mu.try_lock(), static_cast<bool>(err));  // either way it is held now
      });
  unlock(mu);
}

TEST(cancel_race, rlock_and_lock_of_a_rw_mutex) {
  sync::rw_mutex mu;
  take(mu);
  race_cancel(
      106, rounds, [&](context const& ctx) { return rlock(ctx, mu); },
      [&](context const&) { unlock(mu); },
      [&](error const& err) {
        if (!err) runlock(mu);
        EXPECT_TRUE(mu.try_lock()) << "a reader that gave up is still counted";
      });
  race_cancel(
      107, rounds, [&](context const& ctx) { return lock(ctx, mu); },
      [&](context const&) { unlock(mu); },
      [&](error const& err) { EXPECT_EQ(mu.try_lock(), static_cast<bool>(err)); });
  unlock(mu);
}

TEST(cancel_race, cond_wakes_somebody_else_when_its_waiter_has_left) {
  sync::mutex mu;
  sync::cond changed(mu);
  bool ready = false;
  race_cancel(
      108, rounds,
      [&](context const& ctx) -> error {
        sync::lock_guard const held(mu);
        while (!ready) {
          if (error err = wait(ctx, changed)) return err;
        }
        return nullptr;
      },
      [&](context const&) {
        sync::lock_guard const held(mu);
        ready = true;
        changed.signal();
      },
      [&](error const&) {
        EXPECT_TRUE(mu.try_lock());
        ready = false;
        unlock(mu);
      });
}

TEST(cancel_race, semaphore_gives_every_permit_back) {
  sync::semaphore permits(3);
  permits.acquire(3);
  race_cancel(
      109, rounds, [&](context const& ctx) { return acquire(ctx, permits, 2); },
      [&](context const&) { permits.release(3); },
      [&](error const& err) {
        if (!err) permits.release(2);
        EXPECT_TRUE(permits.try_acquire(3)) << "a permit is lost";
      });
  permits.release(3);
}

TEST(cancel_race, wait_group_and_once) {
  sync::wait_group wg;
  wg.add(1);
  race_cancel(
      110, rounds, [&](context const& ctx) { return wait(ctx, wg); },
      [&](context const&) { wg.done(); }, [&](error const&) { wg.add(1); });
  wg.done();

  int runs = 0;
  auto once = std::make_unique<sync::once>();
  race_cancel(
      111, rounds,
      [&](context const& ctx) {
        if (error err = ctx.err()) return err;
        return call(ctx, *once, [&] { ++runs; });
      },
      [&](context const&) { once->call([&] { ++runs; }); },
      [&](error const&) {
        EXPECT_EQ(std::exchange(runs, 0), 1);
        once = std::make_unique<sync::once>();
      });
}

TEST(cancel_race, sleep) {
  race_cancel(
      112, rounds, [&](context const& ctx) { return time::sleep(ctx, 1us); }, [](context const&) {},
      [](error const&) {});
}

TEST(cancel_race, task_and_errgroup) {
  chan<int> const c(0);
  task<int> t;
  race_cancel(
      113, rounds,
      [&](context const& ctx) {
        if (t.empty()) t = spawn([c] { return *c.recv(); });
        return t.get(ctx).error();
      },
      [&](context const& over) { static_cast<void>(send(over, c, 1)); },
      [&](error const& err) {
        // One that was left by its waiter may be asked again, by the next round.
        EXPECT_EQ(t.empty(), !err);
      });
  if (!t.empty()) {
    while (!t.ready() && !c.try_send(1)) runtime::yield();
    static_cast<void>(t.get(context::background()));
  }
  internal::atomic<int> running{0};
  race_cancel(
      114, rounds,
      [&](context const& ctx) {
        errgroup::group g(ctx);
        for (int i = 0; i < 3; ++i) {
          g.go([&](context const& member) -> error {
            running.fetch_add(1);
            error err = recv(member, c).error();
            running.fetch_sub(1);
            return err;
          });
        }
        return g.wait();
      },
      [&](context const& over) {
        for (int i = 0; i < 3; ++i) static_cast<void>(send(over, c, 1));
      },
      [&](error const&) { EXPECT_EQ(running.load(), 0) << "wait() left somebody behind"; });
}

TEST(cancel_race, singleflight_ends_its_call_when_the_last_caller_has_left) {
  singleflight::group<int, int> group;
  chan<int> const c(0);
  sync::wait_group flights;  // one for each call: that of the call before was dropped
  race_cancel(
      115, rounds,
      [&](context const& ctx) {
        flights.add(1);
        auto const load = [&](context const& flight) -> result<int> {
          auto got = recv(flight, c);
          flights.done();
          if (!got) return got.error();
          return 1;
        };
        return group.run(ctx, 1, load).error();
      },
      [&](context const& over) { static_cast<void>(send(over, c, 1)); },
      [&](error const&) { flights.wait(); });
}

TEST(cancel_race, merge_of_a_context_that_ends_meanwhile) {
  for (int round = 0; round < rounds; ++round) {
    auto [a, cancel_a] = context::with_cancel(context::background());
    auto [b, cancel_b] = context::with_cancel(context::background());
    auto const [below_b, cancel_below] = context::with_cancel(b);
    sync::wait_group both;
    both.go([cancel = std::move(cancel_a)] { cancel(); });
    both.go([cancel = std::move(cancel_b)] { cancel(); });
    auto const [merged, cancel] = context::merge(a, below_b);
    EXPECT_TRUE(time::sleep(merged, 1h));
    both.wait();
  }
}

}  // namespace
}  // namespace vole
