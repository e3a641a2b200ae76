// SPDX-License-Identifier: Apache-2.0
// What select promises.
#include "vole/select.h"

#include <array>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "vole/context.h"
#include "vole/errors.h"
#include "vole/go.h"
#include "vole/sync.h"
#include "vole/testing.h"
#include "vole/time.h"

#include "base/rand.h"

namespace vole {
namespace {

using namespace std::chrono_literals;

internal::park_limit in(duration d) {
  return {.deadline = time::now() + d};
}

TEST(select, takes_the_case_that_is_ready) {
  chan<int> a(1);
  chan<std::string> b(1);
  b.send("full");
  int x = 0;
  a.send(5);
  EXPECT_EQ(select(recv(a, &x), send(b, "no room")), 0);
  EXPECT_EQ(x, 5);
  std::string y;
  EXPECT_EQ(select(recv(a, &x), recv(b, &y)), 1);
  EXPECT_EQ(y, "full");
  EXPECT_EQ(x, 5);  // the other case left it alone
}

TEST(select, otherwise_is_taken_when_nothing_is_ready) {
  chan<int> a(0);
  chan<int> b(1);
  int x = 7;
  EXPECT_EQ(select(recv(a, &x), recv(b, &x), otherwise()), 2);
  EXPECT_EQ(select(otherwise(), recv(a, &x)), 0);
  EXPECT_EQ(select(otherwise()), 0);
  EXPECT_EQ(x, 7);
  EXPECT_EQ(select(recv(a), send(b, 1), otherwise()), 1);
  EXPECT_EQ(select(recv(a), send(b, 1), otherwise()), 2);
}

TEST(select, parks_until_a_receiver_or_sender_comes) {
  chan<int> a(0);
  chan<int> b(0);
  chan<int> chosen(0);
  go([=] {
    int x = 0;
    int const which = select(recv(a, &x), send(b, 9));
    chosen.send(which * 100 + x);
  });
  testing::wait_until_parked(1);
  a.send(5);
  EXPECT_EQ(chosen.recv(), 5);
  go([=] {
    int x = 0;
    int const which = select(recv(a, &x), send(b, 9));
    chosen.send(which * 100 + x);
  });
  testing::wait_until_parked(1);
  EXPECT_EQ(b.recv(), 9);
  EXPECT_EQ(chosen.recv(), 100);
  // It left no waiter behind.
  EXPECT_FALSE(a.try_send(1));
  EXPECT_EQ(b.try_recv(), std::nullopt);
}

TEST(select, closed_channel_is_ready_with_the_zero_value) {
  chan<int> a(0);
  a.close();
  int x = 7;
  bool ok = true;
  EXPECT_EQ(select(recv(a, &x, &ok)), 0);
  EXPECT_EQ(x, 0);
  EXPECT_FALSE(ok);
  std::optional<int> o = 3;
  EXPECT_EQ(select(recv(a, &o)), 0);
  EXPECT_EQ(o, std::nullopt);
  chan<int> b(1);
  b.send(4);
  EXPECT_EQ(select(recv(b, &o, &ok)), 0);
  EXPECT_EQ(o, 4);
  EXPECT_TRUE(ok);
}

TEST(select, close_wakes_one_who_waits) {
  chan<int> a(0);
  chan<int> b(0);
  chan<bool> got(0);
  go([=] {
    bool ok = true;
    EXPECT_EQ(select(recv(b), recv(a, static_cast<int*>(nullptr), &ok)), 1);
    got.send(ok);
  });
  testing::wait_until_parked(1);
  a.close();
  EXPECT_EQ(got.recv(), false);
  EXPECT_FALSE(b.try_send(1));
}

TEST(select, nil_channel_switches_its_case_off) {
  chan<int> const nil;
  chan<int> a(1);
  EXPECT_EQ(select(recv(nil), send(nil, 1), otherwise()), 2);
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(select(recv(nil), send(a, 1), send(nil, 2)), 1);
    EXPECT_EQ(a.recv(), 1);
  }
}

TEST(select, ready_cases_are_chosen_evenly) {
  constexpr int rounds = 30'000;
  chan<int> a(1);
  chan<int> b(1);
  chan<int> c(1);
  std::array<int, 3> taken{};
  a.send(0);
  b.send(0);
  for (int i = 0; i < rounds; ++i) {
    int const which = select(recv(a), recv(b), send(c, 0));
    ++taken.at(static_cast<std::size_t>(which));
    if (which == 0) a.send(0);
    if (which == 1) b.send(0);
    if (which == 2) c.recv();
  }
  for (int const n : taken) EXPECT_NEAR(n, rounds / 3, rounds / 20);
}

// Pearson's test against an even distribution, of every number of ready cases up to eight, among
// others that are not ready. The seed is fixed: it passes always, or never.
TEST(select, choice_among_the_ready_is_uniform) {
  constexpr int each = 4000;
  constexpr std::array<double, 8> limit_999{0, 10.83, 13.82, 16.27, 18.47, 20.52, 22.46, 24.32};
  for (std::size_t ready = 2; ready <= 8; ++ready) {
    std::array<chan<int>, 8> c;
    std::array<int, 8> taken{};
    for (std::size_t i = 0; i < 8; ++i) {
      c[i] = chan<int>(1);
      if (i < ready) c[i].send(0);
    }
    // From here on nothing allocates: the heap profile draws numbers too.
    internal::seed_fast_rand(20'240'731 + ready);
    for (std::size_t i = 0; i < ready * each; ++i) {
      // The ready ones stand first, in the middle and last.
      std::size_t const r = i % 8;
      auto const at = [&](std::size_t k) { return c[(k + r) % 8]; };
      int const which = select(recv(at(0)), recv(at(1)), recv(at(2)), recv(at(3)), recv(at(4)),
                               recv(at(5)), recv(at(6)), recv(at(7)));
      std::size_t const k = (static_cast<std::size_t>(which) + r) % 8;
      ++taken[k];
      c[k].send(0);
    }
    double chi_square = 0;
    for (std::size_t i = 0; i < ready; ++i) {
      double const off = taken[i] - each;
      chi_square += off * off / each;
    }
    EXPECT_LT(chi_square, limit_999[ready - 1]) << ready << " ready cases";
  }
}

TEST(select, rvalue_is_moved_only_when_its_case_is_taken) {
  chan<std::unique_ptr<int>> a(1);
  chan<int> b(1);
  b.send(1);
  auto p = std::make_unique<int>(8);
  a.send(nullptr);  // full
  EXPECT_EQ(select(send(a, std::move(p)), recv(b)), 1);
  ASSERT_NE(p, nullptr);
  a.recv();
  EXPECT_EQ(select(send(a, std::move(p)), recv(b)), 0);
  EXPECT_EQ(p, nullptr);
  std::unique_ptr<int> q;
  EXPECT_EQ(select(recv(a, &q)), 0);
  EXPECT_EQ(*q, 8);
}

TEST(select, lvalue_is_sent_as_it_was_when_the_case_was_made) {
  chan<std::string> c(1);
  std::string word = "before";
  auto case_of_word = send(c, word);
  word = "after";
  EXPECT_EQ(select(case_of_word), 0);
  EXPECT_EQ(c.recv(), "before");
}

TEST(select, one_channel_may_stand_in_several_cases) {
  chan<int> c(1);
  for (int i = 0; i < 100; ++i) {
    int x = 0;
    // It cannot receive what it sends itself.
    EXPECT_EQ(select(recv(c, &x), send(c, i), recv(c, &x)), 1);
    EXPECT_NE(select(recv(c, &x), send(c, -1), recv(c, &x)), 1);
    EXPECT_EQ(x, i);
  }
  chan<int> unbuffered(0);
  EXPECT_EQ(select(recv(unbuffered), send(unbuffered, 1), otherwise()), 2);
  go([=] {
    int x = 0;
    if (select(recv(unbuffered, &x), send(unbuffered, 2)) == 0) {
      EXPECT_EQ(x, 1);
    }
  });
  testing::wait_until_parked(1);
  int x = 2;
  select(send(unbuffered, 1), recv(unbuffered, &x));
  EXPECT_EQ(x, 2);
}

TEST(select, two_selects_meet_each_other) {
  chan<int> a(0);
  chan<int> b(0);
  chan<int> sum(0);
  constexpr int rounds = 2000;
  go([=] {
    int total = 0;
    for (int i = 0; i < rounds; ++i) {
      int x = 0;
      select(recv(a, &x), recv(b, &x));
      total += x;
    }
    sum.send(total);
  });
  for (int i = 0; i < rounds; ++i) select(send(a, 1), send(b, 1));
  EXPECT_EQ(sum.recv(), rounds);
}

TEST(select, as_many_cases_as_are_wanted) {
  std::array<chan<int>, 20> cs;
  for (auto& c : cs) c = chan<int>(0);
  go([=] { cs[17].send(1); });
  int x = 0;
  int const which = select(recv(cs[0]), recv(cs[1]), recv(cs[2]), recv(cs[3]), recv(cs[4]),
                           recv(cs[5]), recv(cs[6]), recv(cs[7]), recv(cs[8]), recv(cs[9]),
                           recv(cs[10]), recv(cs[11]), recv(cs[12]), recv(cs[13]), recv(cs[14]),
                           recv(cs[15]), recv(cs[16]), recv(cs[17], &x), recv(cs[18]));
  EXPECT_EQ(which, 17);
  EXPECT_EQ(x, 1);
}

TEST(select, limit_ends_it_and_leaves_no_waiter) {
  chan<int> a(0);
  chan<int> b(0);
  EXPECT_EQ(select_until({.deadline = time::now() + 1ms}, recv(a), send(b, 1)),
            internal::select_deadline);
  EXPECT_EQ(select_until({.deadline = time::now() + 1ms}), internal::select_deadline);
  EXPECT_FALSE(a.try_send(1));
  EXPECT_EQ(b.try_recv(), std::nullopt);
  internal::cancel_source source;
  chan<int> ended(0);
  go([&] { ended.send(select_until({.cancel = &source}, recv(a), send(b, 1))); });
  testing::wait_until_parked(1);
  source.fire();
  EXPECT_EQ(ended.recv(), internal::select_canceled);
  EXPECT_FALSE(a.try_send(1));
}

TEST(select, context_and_timer_as_cases) {
  chan<int> never_sent(0);
  auto [ctx, cancel] = context::with_cancel(context::background());
  EXPECT_EQ(select(recv(ctx.done()), recv(never_sent), otherwise()), 2);
  cancel();
  EXPECT_EQ(select(recv(ctx.done()), recv(never_sent)), 0);
  EXPECT_EQ(select(recv(never_sent), recv(time::after(1ms))), 1);
}

TEST(select, plain_thread_may_select) {
  chan<int> a(0);
  chan<int> b(0);
  std::thread outside([=] {
    for (int i = 0; i < 100; ++i) {
      int x = 0;
      if (select(recv(a, &x), recv(b, &x)) >= 0) b.send(x);
    }
  });
  for (int i = 0; i < 100; ++i) {
    select(send(a, i));
    EXPECT_EQ(b.recv(), i);
  }
  outside.join();
}

TEST(select_list, takes_the_case_that_is_ready) {
  std::vector<chan<int>> inputs;
  for (int i = 0; i < 40; ++i) inputs.emplace_back(1);
  int v = 0;
  bool ok = false;
  select_list list;
  for (auto const& c : inputs) list.recv(c, &v, &ok);
  EXPECT_EQ(list.otherwise(), 40);
  EXPECT_EQ(select(list), 40);
  for (int i = 0; i < 40; ++i) {
    inputs[static_cast<std::size_t>(i)].send(i);
    EXPECT_EQ(select(list), i);
    EXPECT_EQ(v, i);
    EXPECT_TRUE(ok);
  }
  list.off(40);
  EXPECT_EQ(select_until(in(1ms), list), internal::select_deadline);
}

TEST(select_list, parks_until_one_comes) {
  std::vector<chan<int>> inputs;
  select_list list;
  int v = 0;
  for (int i = 0; i < 20; ++i) list.recv(inputs.emplace_back(0), &v);
  for (int i = 0; i < 20; ++i) {
    go([c = inputs[static_cast<std::size_t>(i)], i] { c.send(i); });
    EXPECT_EQ(select(list), i);
    EXPECT_EQ(v, i);
  }
}

TEST(select_list, closed_inputs_are_switched_off_one_by_one) {
  select_list list;
  int v = 0;
  bool ok = false;
  for (int i = 0; i < 5; ++i) {
    chan<int> const c(2);
    c.send(1);
    c.send(1);
    c.close();
    list.recv(c, &v, &ok);
  }
  int sum = 0;
  for (int open = 5; open > 0;) {
    int const which = select(list);
    sum += v;
    if (!ok) {
      list.off(which);
      --open;
    }
  }
  EXPECT_EQ(sum, 10);
}

TEST(select_list, send_that_was_carried_out_is_off) {
  chan<std::unique_ptr<int>> c(2);
  select_list list;
  EXPECT_EQ(list.send(c, std::make_unique<int>(7)), 0);
  EXPECT_EQ(list.otherwise(), 1);
  EXPECT_EQ(select(list), 0);
  EXPECT_EQ(select(list), 1);
  EXPECT_EQ(**c.recv(), 7);
  list.clear();
  EXPECT_EQ(list.send(c, std::make_unique<int>(8)), 0);
  EXPECT_EQ(select(list), 0);
  EXPECT_EQ(**c.recv(), 8);
}

TEST(select_list, keeps_its_channels_and_ends_with_a_context) {
  select_list list;
  list.recv(time::after(1h));
  auto [ctx, cancel] = context::with_timeout(context::background(), 1ms);
  EXPECT_TRUE(errors::is(select(ctx, list).error(), context::deadline_exceeded));
  list.recv(time::after(0ms));
  EXPECT_EQ(select(list), 1);
}

TEST(select_list_death_test, misuse_panics) {
  select_list list;
  list.otherwise();
  EXPECT_DEATH(list.otherwise(), "at most one otherwise");
  EXPECT_DEATH(list.off(1), "case 1 of a select_list that has 1");
}

TEST(select_death_test, send_on_closed_panics) {
  EXPECT_DEATH(
      {
        chan<int> c(1);
        c.close();
        select(send(c, 1), otherwise());
      },
      "send on closed channel");
  EXPECT_DEATH(
      {
        chan<int> c(0);
        go([c] { select(send(c, 1)); });
        testing::wait_until_parked(1);
        c.close();
        chan<unit>(0).recv();  // until the sender's panic
      },
      "send on closed channel");
}

}  // namespace
}  // namespace vole
