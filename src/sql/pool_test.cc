// SPDX-License-Identifier: Apache-2.0
#include "sql/pool.h"

#include <chrono>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <vector>

#include "vole/chan.h"
#include "vole/go.h"
#include "vole/runtime.h"
#include "vole/sync.h"
#include "vole/testing.h"

#include "sql/driver.h"

namespace vole::internal {
namespace {

using namespace std::chrono_literals;

// A server that dials when the test lets it, and counts what is open.
struct fake_server {
  chan<error> answers{100};  // one for each dial
  atomic<int> dialled{0};
  atomic<int> open{0};
};

class fake_connection final : public pooled {
 public:
  explicit fake_connection(fake_server& of) : server(of) { server.open.fetch_add(1); }
  ~fake_connection() override { server.open.fetch_sub(1); }
  bool usable() const noexcept override { return sound; }

  fake_server& server;
  bool sound = true;
};

class sql_pool : public ::testing::Test {
 protected:
  std::shared_ptr<pool> make(int open_max, duration idle_max = duration::max()) {
    pool_settings settings;
    settings.idle_max = idle_max;
    settings.open_max = open_max;
    settings.hooks = std::make_shared<sql::hooks const>();
    settings.connect_timeout = 1min;
    settings.dial = [this](context const& dial_ctx) -> result<std::unique_ptr<pooled>> {
      server.dialled.fetch_add(1);
      auto answer = recv(dial_ctx, server.answers);
      if (!answer) return answer.error();
      if (*answer && **answer) return **answer;
      return std::unique_ptr<pooled>(std::make_unique<fake_connection>(server));
    };
    return std::make_shared<pool>(std::move(settings));
  }
  void allow(int dials) {
    for (; dials > 0; --dials) server.answers.send(error());
  }

  context const ctx;
  fake_server server;
};

TEST_F(sql_pool, gives_the_connection_used_last) {
  auto const p = make(2);
  allow(2);
  auto a = *p->acquire(ctx), b = *p->acquire(ctx);
  pooled* const last = b.get();
  p->put(std::move(a), true);
  p->put(std::move(b), true);
  auto again = *p->acquire(ctx);
  EXPECT_EQ(again.get(), last);
  p->put(std::move(again), true);
  EXPECT_FALSE(p->close(ctx));
  EXPECT_EQ(server.open.load(), 0);
}

TEST_F(sql_pool, closes_what_was_idle_when_one_was_found_broken) {
  auto const p = make(3, 1h);
  allow(3);
  auto a = *p->acquire(ctx), b = *p->acquire(ctx), c = *p->acquire(ctx);
  p->put(std::move(a), true);
  p->put(std::move(b), true);
  time_point const found = now();
  while (now() == found) runtime::yield();
  pooled* const newer = c.get();
  p->put(std::move(c), true);
  auto mine = *p->acquire(ctx, found);
  EXPECT_EQ(mine.get(), newer) << "it came back after that";
  EXPECT_EQ(server.open.load(), 1);
  allow(1);
  auto fresh = *p->acquire(ctx, now());
  EXPECT_EQ(server.dialled.load(), 4);
  p->put(std::move(mine), true);
  p->put(std::move(fresh), true);
  EXPECT_FALSE(p->close(ctx));
}

TEST_F(sql_pool, serves_waiters_in_the_order_they_came) {
  auto const p = make(1);
  allow(1);
  auto held = *p->acquire(ctx);
  std::vector<int> order;
  sync::wait_group wg;
  for (int i = 0; i < 6; ++i) {
    wg.go([&, i] {
      auto mine = p->acquire(ctx);
      order.push_back(i);  // the holder of the only connection
      p->put(*std::move(mine), true);
    });
    testing::wait_until_parked(static_cast<std::size_t>(i) + 1);
  }
  p->put(std::move(held), true);
  wg.wait();
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4, 5}));
  EXPECT_FALSE(p->close(ctx));
}

TEST_F(sql_pool, a_dial_goes_on_when_its_caller_has_gone_and_serves_the_next) {
  auto const p = make(1);
  auto const [soon, cancel] = context::with_timeout(ctx, 5ms);
  auto const late = p->acquire(soon);
  EXPECT_EQ(late.error().message(),
            "wait for one of 1 connections (1 connecting): context deadline exceeded");
  allow(1);
  auto mine = p->acquire(ctx);
  ASSERT_TRUE(mine);
  EXPECT_EQ(server.dialled.load(), 1);
  p->put(*std::move(mine), true);
  EXPECT_FALSE(p->close(ctx));
}

TEST_F(sql_pool, a_failed_dial_fails_one_waiter_and_the_next_gets_a_dial_of_its_own) {
  auto const p = make(1);
  chan<error> first(1), second(1);
  go([&] { first.send(p->acquire(ctx).error()); });
  testing::wait_until_parked(2);  // it, and the dial
  go([&] {
    auto mine = p->acquire(ctx);
    second.send(mine.error());
    if (mine) p->put(*std::move(mine), true);
  });
  testing::wait_until_parked(3);
  server.answers.send(errors::make("refused"));
  auto const failed = first.recv();
  EXPECT_EQ(failed->message(), "refused");
  allow(1);
  auto const served = second.recv();
  EXPECT_FALSE(*served) << served->message();
  EXPECT_EQ(server.dialled.load(), 2);
  EXPECT_FALSE(p->close(ctx));
}

TEST_F(sql_pool, a_broken_connection_is_replaced_for_whoever_waits) {
  auto const p = make(1);
  allow(2);
  auto held = *p->acquire(ctx);
  chan<unit> done(0);
  go([&] {
    auto mine = p->acquire(ctx);
    ASSERT_TRUE(mine);
    p->put(*std::move(mine), true);
    done.send({});
  });
  testing::wait_until_parked(1);
  p->put(std::move(held), false);
  done.recv();
  EXPECT_EQ(server.dialled.load(), 2);
  EXPECT_EQ(server.open.load(), 1);
  EXPECT_FALSE(p->close(ctx));
}

TEST_F(sql_pool, an_idle_connection_that_broke_is_not_given_out) {
  auto const p = make(1);
  allow(2);
  auto held = *p->acquire(ctx);
  static_cast<fake_connection&>(*held).sound = false;
  p->put(std::move(held), true);
  auto fresh = *p->acquire(ctx);
  EXPECT_TRUE(fresh->usable());
  EXPECT_EQ(server.dialled.load(), 2);
  p->put(std::move(fresh), true);
  EXPECT_FALSE(p->close(ctx));
}

TEST_F(sql_pool, dials_no_more_than_there_are_waiters_and_room) {
  auto const p = make(3);
  sync::wait_group wg;
  for (int i = 0; i < 5; ++i) {
    wg.go([&] {
      auto mine = p->acquire(ctx);
      ASSERT_TRUE(mine);
      runtime::yield();
      p->put(*std::move(mine), true);
    });
  }
  testing::wait_until_parked(5 + 3);
  EXPECT_EQ(server.dialled.load(), 3);
  allow(3);
  wg.wait();
  std::vector<std::unique_ptr<pooled>> all;  // the last dial may still be under way
  for (int i = 0; i < 3; ++i) all.push_back(*p->acquire(ctx));
  for (auto& one : all) p->put(std::move(one), true);
  EXPECT_EQ(server.dialled.load(), 3);
  sql::stats stats;
  p->fill(stats);
  EXPECT_EQ(stats.open, 3);
  EXPECT_EQ(stats.idle, 3);
  EXPECT_EQ(stats.connecting, 0);
  EXPECT_FALSE(p->close(ctx));
}

TEST_F(sql_pool, close_sends_waiters_away_cancels_dials_and_waits_for_what_is_out) {
  auto const p = make(2);
  allow(1);
  auto held = *p->acquire(ctx);
  chan<error> waiting(1), closing(1);
  go([&] { waiting.send(p->acquire(ctx).error()); });
  testing::wait_until_parked(2);  // it, and a dial that nobody answers
  go([&] { closing.send(p->close(ctx)); });
  auto const refused = waiting.recv();
  EXPECT_TRUE(errors::is(*refused, sql::closed));
  testing::wait_until_parked(1);
  EXPECT_EQ(server.open.load(), 1);
  p->put(std::move(held), true);
  auto const closed = closing.recv();
  EXPECT_FALSE(*closed) << closed->message();
  EXPECT_EQ(server.open.load(), 0);
  EXPECT_TRUE(errors::is(p->acquire(ctx).error(), sql::closed));
  EXPECT_FALSE(p->close(ctx));
}

TEST_F(sql_pool, stands_a_storm_of_short_contexts_and_broken_connections) {
  auto const p = make(3);
  allow(100);
  sync::wait_group wg;
  for (int g = 0; g < 8; ++g) {
    wg.go([&, g] {
      for (int i = 0; i < 60; ++i) {
        auto const [soon, cancel] = context::with_timeout(ctx, (i % 7) * 10us + 1us);
        auto mine = p->acquire(i % 3 == 0 ? soon : ctx);
        if (!mine) continue;
        if (i % 5 == 0) runtime::yield();
        bool const sound = (g * 60 + i) % 9 != 0;
        p->put(*std::move(mine), sound);
        if (!sound) server.answers.send(error());
      }
    });
  }
  wg.wait();
  sql::stats stats;
  p->fill(stats);
  EXPECT_EQ(stats.waiting, 0);
  EXPECT_LE(stats.open, 3);
  EXPECT_FALSE(p->close(ctx));
  EXPECT_EQ(server.open.load(), 0);
}

}  // namespace
}  // namespace vole::internal
