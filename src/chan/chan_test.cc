// SPDX-License-Identifier: Apache-2.0
// What a channel promises; the Go-named tests are re-derived from the Go specification.
#include "vole/chan.h"

#include <array>
#include <gtest/gtest.h>
#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "vole/context.h"
#include "vole/go.h"
#include "vole/select.h"
#include "vole/sync.h"
#include "vole/testing.h"
#include "vole/time.h"

namespace vole {
namespace {

using internal::chan_outcome;
using namespace std::chrono_literals;

// Counts its live objects, and which of them still hold their value.
struct counted {
  static inline internal::atomic<int> live{0};
  int value;

  explicit counted(int v) noexcept : value(v) { ++live; }
  counted(counted&& other) noexcept : value(std::exchange(other.value, -1)) { ++live; }
  counted& operator=(counted&&) = delete;
  ~counted() { --live; }
};

TEST(chan, unbuffered_send_meets_its_receiver) {
  chan<int> c(0);
  go([c] { c.send(42); });
  EXPECT_EQ(c.recv(), 42);
  EXPECT_EQ(c.len(), 0U);
  EXPECT_EQ(c.cap(), 0U);
}

TEST(chan, receiver_that_waits_is_served_first) {
  chan<std::string> c(0);
  chan<std::string> got(1);
  go([c, got] { got.send(*c.recv()); });
  testing::wait_until_parked(1);
  c.send("hello");
  EXPECT_EQ(got.recv(), "hello");
}

TEST(chan, buffer_keeps_the_order_around_its_end) {
  chan<int> c(3);
  int next_in = 0;
  int next_out = 0;
  for (int round = 0; round < 10; ++round) {
    while (c.len() < c.cap()) c.send(next_in++);
    EXPECT_EQ(c.recv(), next_out++);
    EXPECT_EQ(c.recv(), next_out++);
  }
  EXPECT_EQ(c.len(), 1U);
  EXPECT_EQ(c.cap(), 3U);
}

TEST(chan, send_on_full_parks_until_recv) {
  chan<int> c(1);
  c.send(1);
  chan<unit> sent(0);
  go([c, sent] {
    c.send(2);
    sent.send({});
  });
  testing::wait_until_parked(1);
  EXPECT_EQ(c.len(), 1U);
  EXPECT_EQ(c.recv(), 1);
  EXPECT_EQ(c.len(), 1U);  // the waiting sender's element took its place
  sent.recv();
  EXPECT_EQ(c.recv(), 2);
}

TEST(chan, senders_are_served_in_order) {
  chan<int> c(0);
  for (int i = 0; i < 8; ++i) {
    go([c, i] { c.send(i); });
    testing::wait_until_parked(static_cast<std::size_t>(i + 1));
  }
  for (int i = 0; i < 8; ++i) EXPECT_EQ(c.recv(), i);
}

TEST(chan, close_lets_the_buffer_drain_then_yields_nothing) {
  chan<int> c(4);
  c.send(1);
  c.send(2);
  c.close();
  EXPECT_EQ(c.recv(), 1);
  EXPECT_EQ(c.recv(), 2);
  EXPECT_EQ(c.recv(), std::nullopt);
  EXPECT_EQ(c.recv(), std::nullopt);
  EXPECT_EQ(c.try_recv(), std::nullopt);
}

TEST(chan, close_wakes_every_receiver) {
  chan<int> c(0);
  chan<bool> got(16);
  for (int i = 0; i < 16; ++i) {
    go([c, got] { got.send(c.recv().has_value()); });
  }
  testing::wait_until_parked(16);
  c.close();
  for (int i = 0; i < 16; ++i) EXPECT_EQ(got.recv(), false);
}

TEST(chan, range_ends_at_the_close) {
  chan<int> c(2);
  go([c] {
    for (int i = 1; i <= 10; ++i) c.send(i);
    c.close();
  });
  int sum = 0;
  for (int const v : c) sum += v;
  EXPECT_EQ(sum, 55);
}

TEST(chan, range_hands_out_move_only_elements) {
  chan<std::unique_ptr<int>> c(3);
  for (int i = 0; i < 3; ++i) c.send(std::make_unique<int>(i));
  c.close();
  std::vector<std::unique_ptr<int>> kept;
  for (auto& p : c) kept.push_back(std::move(p));
  ASSERT_EQ(kept.size(), 3U);
  EXPECT_EQ(*kept[2], 2);
}

TEST(chan, directions_share_the_channel) {
  chan<int> c(1);
  recv_chan<int> const in = c;
  send_chan<int> const out = c;
  out.send(7);
  EXPECT_EQ(in.len(), 1U);
  EXPECT_EQ(in.recv(), 7);
  out.close();
  EXPECT_EQ(in.recv(), std::nullopt);
  EXPECT_TRUE(static_cast<internal::chan_handle const&>(in) == c);
}

TEST(chan, nil_never_proceeds) {
  chan<int> const nil;
  EXPECT_FALSE(nil);
  EXPECT_EQ(nil.len(), 0U);
  EXPECT_EQ(nil.cap(), 0U);
  EXPECT_FALSE(nil.try_send(1));
  EXPECT_EQ(nil.try_recv(), std::nullopt);
  internal::park_limit const soon{.deadline = time::now() + 1ms};
  EXPECT_EQ(nil.send_until(1, soon), chan_outcome::deadline);
  EXPECT_EQ(nil.recv_until(soon).outcome, chan_outcome::deadline);
}

TEST(chan, try_send_and_try_recv_never_wait) {
  chan<int> c(1);
  int v = 0;
  EXPECT_FALSE(c.try_recv(v));
  EXPECT_TRUE(c.try_send(1));
  EXPECT_FALSE(c.try_send(2));
  EXPECT_TRUE(c.try_recv(v));
  EXPECT_EQ(v, 1);
  chan<int> unbuffered(0);
  EXPECT_FALSE(unbuffered.try_send(1));
  EXPECT_EQ(unbuffered.try_recv(), std::nullopt);
}

TEST(chan, try_ops_serve_who_waits) {
  chan<int> c(0);
  chan<int> got(1);
  go([c, got] { got.send(*c.recv()); });
  testing::wait_until_parked(1);
  EXPECT_TRUE(c.try_send(5));
  EXPECT_EQ(got.recv(), 5);
  go([c] { c.send(6); });
  testing::wait_until_parked(1);
  EXPECT_EQ(c.try_recv(), 6);
}

TEST(chan, element_that_is_not_sent_stays_with_the_sender) {
  chan<std::unique_ptr<int>> c(1);
  c.send(std::make_unique<int>(1));
  auto second = std::make_unique<int>(2);
  EXPECT_FALSE(c.try_send(std::move(second)));
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(c.send_until(std::move(second), {.deadline = time::now() + 1ms}),
            chan_outcome::deadline);
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(**c.recv(), 1);
}

TEST(chan, deadline_ends_a_wait_and_leaves_no_trace) {
  chan<int> c(0);
  EXPECT_EQ(c.recv_until({.deadline = time::now() + 1ms}).outcome, chan_outcome::deadline);
  EXPECT_EQ(c.send_until(1, {.deadline = time::now() + 1ms}), chan_outcome::deadline);
  EXPECT_FALSE(c.try_send(1));  // no receiver is left behind
  EXPECT_EQ(c.try_recv(), std::nullopt);
  go([c] { c.send(3); });
  auto const got = c.recv_until({.deadline = time::now() + 60s});
  EXPECT_EQ(got.outcome, chan_outcome::ok);
  EXPECT_EQ(got.value, 3);
}

TEST(chan, cancel_ends_a_wait) {
  chan<int> c(0);
  internal::cancel_source source;
  chan<chan_outcome> ended(2);
  go([&] { ended.send(c.recv_until({.cancel = &source}).outcome); });
  go([&] { ended.send(chan<int>(0).send_until(1, {.cancel = &source})); });
  testing::wait_until_parked(2);
  source.fire();
  EXPECT_EQ(ended.recv(), chan_outcome::canceled);
  EXPECT_EQ(ended.recv(), chan_outcome::canceled);
  EXPECT_FALSE(c.try_send(1));
}

TEST(chan, context_ends_a_wait_with_its_error) {
  chan<int> c(0);
  auto [ctx, cancel] = context::with_timeout(context::background(), 1ms);
  auto const got = recv(ctx, c);
  ASSERT_FALSE(got);
  EXPECT_TRUE(errors::is(got.error(), context::deadline_exceeded));
  EXPECT_TRUE(errors::is(send(ctx, c, 1), context::deadline_exceeded));
}

TEST(chan, elements_are_moved_never_leaked) {
  counted::live = 0;
  {
    chan<counted> c(2);
    c.send(counted(1));
    c.send(counted(2));
    EXPECT_EQ(counted::live, 2);
    sync::wait_group others;
    others.go([c] { c.send(counted(3)); });
    testing::wait_until_parked(1);
    EXPECT_EQ(c.recv()->value, 1);
    EXPECT_EQ(c.recv()->value, 2);
    EXPECT_EQ(c.recv()->value, 3);
    others.wait();
    EXPECT_EQ(counted::live, 0);
    others.go([c] { EXPECT_EQ(c.recv()->value, 4); });
    testing::wait_until_parked(1);
    c.send(counted(4));
    others.wait();
    EXPECT_EQ(counted::live, 0);
    c.send(counted(5));  // goes with the channel
  }
  EXPECT_EQ(counted::live, 0);
}

TEST(chan, elements_of_no_size_need_no_room) {
  chan<unit> c(1'000'000'000'000);
  for (int i = 0; i < 1000; ++i) c.send({});
  EXPECT_EQ(c.len(), 1000U);
  EXPECT_TRUE(c.recv().has_value());
  EXPECT_EQ(c.len(), 999U);
}

TEST(chan, large_and_aligned_elements_arrive_whole) {
  struct alignas(128) page {
    std::array<std::uint64_t, 512> words;
  };
  auto const make = [](std::uint64_t seed) {
    page p;
    std::iota(p.words.begin(), p.words.end(), seed);
    return p;
  };
  for (int const capacity : {0, 2}) {
    chan<page> c(capacity);
    go([c, make] {
      for (std::uint64_t i = 0; i < 5; ++i) c.send(make(i * 1000));
    });
    for (std::uint64_t i = 0; i < 5; ++i) {
      auto const p = c.recv();
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&*p) % 128, 0U);
      EXPECT_EQ(p->words, make(i * 1000).words);
    }
  }
}

TEST(chan, plain_threads_may_stand_at_either_end) {
  chan<int> requests(0);
  chan<int> answers(0);
  std::thread outside([=] {
    for (int const v : requests) answers.send(v * 2);
    answers.close();
  });
  for (int i = 0; i < 100; ++i) {
    requests.send(i);
    EXPECT_EQ(answers.recv(), i * 2);
  }
  requests.close();
  EXPECT_EQ(answers.recv(), std::nullopt);
  outside.join();
}

TEST(chan, two_plain_threads_need_no_goroutine) {
  chan<int> c(0);
  int sum = 0;
  std::thread receiver([&] {
    for (int const v : c) sum += v;
  });
  std::thread sender([&] {
    for (int i = 1; i <= 1000; ++i) c.send(i);
    c.close();
  });
  sender.join();
  receiver.join();
  EXPECT_EQ(sum, 500500);
}

TEST(chan, handle_outlives_its_maker) {
  auto const make = [] {
    chan<std::string> c(0);
    go([c] { c.send("from a goroutine that alone holds the channel besides the receiver"); });
    return recv_chan<std::string>(c);
  };
  EXPECT_EQ(make().recv()->substr(0, 4), "from");
}

TEST(chan_death_test, misuse_panics_with_go_s_words) {
  EXPECT_DEATH(chan<int>{}.close(), "close of nil channel");
  EXPECT_DEATH(
      {
        chan<int> c(0);
        c.close();
        c.close();
      },
      "close of closed channel");
  EXPECT_DEATH(
      {
        chan<int> c(1);
        c.close();
        c.send(1);
      },
      "send on closed channel");
  EXPECT_DEATH(
      {
        chan<int> c(1);
        c.close();
        static_cast<void>(c.try_send(1));
      },
      "send on closed channel");
  EXPECT_DEATH(
      {
        chan<int> c(0);
        go([c] { c.send(1); });
        testing::wait_until_parked(1);
        c.close();
        testing::wait_until_parked(1);
      },
      "send on closed channel");
  EXPECT_DEATH(chan<int>(-1), "a channel's capacity is -1");
  EXPECT_DEATH(chan<int>(std::size_t{1} << 62), "does not fit into memory");
}

}  // namespace
}  // namespace vole
