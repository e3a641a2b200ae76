// SPDX-License-Identifier: Apache-2.0
// Channels under load: everything that is sent arrives once, whatever ends the waits.
#include <gtest/gtest.h>
#include <memory>
#include <thread>
#include <vector>

#include "vole/chan.h"
#include "vole/go.h"
#include "vole/runtime.h"
#include "vole/select.h"
#include "vole/sync.h"
#include "vole/time.h"

namespace vole {
namespace {

using internal::chan_outcome;
using namespace std::chrono_literals;

// Mostly too short for a partner to come, now and then long enough.
duration patience(int turn) {
  return turn % 8 == 0 ? 20ms : duration(turn % 50 * 1us);
}

// Which of n numbers have come, each once.
class tally {
 public:
  explicit tally(int n) : seen_(static_cast<std::size_t>(n)) {}
  void add(int i) {
    if (seen_.at(static_cast<std::size_t>(i)).fetch_add(1, internal::memory_order_relaxed) != 0) {
      twice_.fetch_add(1, internal::memory_order_relaxed);
    }
  }
  int missing() const {
    int n = 0;
    for (auto const& s : seen_) n += s.load(internal::memory_order_relaxed) == 0 ? 1 : 0;
    return n;
  }
  int twice() const { return twice_.load(internal::memory_order_relaxed); }

 private:
  std::vector<internal::atomic<int>> seen_;
  internal::atomic<int> twice_{0};
};

class chan_stress : public ::testing::TestWithParam<int> {};

TEST_P(chan_stress, every_element_arrives_once) {
  constexpr int senders = 8;
  constexpr int each = 2000;
  chan<std::unique_ptr<int>> c(GetParam());
  tally got(senders * each);
  sync::wait_group sending;
  sync::wait_group receiving;
  for (int s = 0; s < senders; ++s) {
    sending.go([=] {
      for (int i = 0; i < each; ++i) c.send(std::make_unique<int>(s * each + i));
    });
  }
  for (int r = 0; r < 8; ++r) {
    receiving.go([&] {
      for (auto& p : c) got.add(*p);
    });
  }
  sending.wait();
  c.close();
  receiving.wait();
  EXPECT_EQ(got.missing(), 0);
  EXPECT_EQ(got.twice(), 0);
}

TEST_P(chan_stress, selects_on_both_sides_lose_nothing) {
  constexpr int senders = 6;
  constexpr int each = 1500;
  chan<int> a(GetParam());
  chan<int> b(0);
  chan<int> c(GetParam());
  tally got(senders * each);
  sync::wait_group sending;
  sync::wait_group receiving;
  for (int s = 0; s < senders; ++s) {
    sending.go([=] {
      for (int i = s * each; i < (s + 1) * each; ++i) select(send(a, i), send(b, i), send(c, i));
    });
  }
  chan<unit> done(0);
  for (int r = 0; r < 6; ++r) {
    receiving.go([&, a, b, c, done] {
      for (;;) {
        int x = -1;
        switch (select(recv(c, &x), recv(a, &x), recv(b, &x), recv(done))) {
          case 3:
            return;
          default:
            got.add(x);
        }
      }
    });
  }
  sending.wait();
  while (a.len() + c.len() != 0) runtime::yield();
  done.close();
  receiving.wait();
  EXPECT_EQ(got.missing(), 0);
  EXPECT_EQ(got.twice(), 0);
}

TEST_P(chan_stress, waits_that_end_early_lose_nothing) {
  constexpr int senders = 4;
  constexpr int each = 600;
  chan<int> c(GetParam());
  tally got(senders * each);
  sync::wait_group sending;
  sync::wait_group receiving;
  for (int s = 0; s < senders; ++s) {
    sending.go([=] {
      for (int i = s * each; i < (s + 1) * each; ++i) {
        for (int turn = i; c.send_until(int(i), {.deadline = time::now() + patience(turn)}) !=
                           chan_outcome::ok;) {
          ++turn;
        }
      }
    });
  }
  for (int r = 0; r < 4; ++r) {
    receiving.go([&, r] {
      for (int turn = r;; ++turn) {
        auto const result = c.recv_until({.deadline = time::now() + patience(turn)});
        if (result.outcome == chan_outcome::closed) return;
        if (result.value.has_value()) got.add(*result.value);
      }
    });
  }
  sending.wait();
  c.close();
  receiving.wait();
  EXPECT_EQ(got.missing(), 0);
  EXPECT_EQ(got.twice(), 0);
}

TEST_P(chan_stress, plain_threads_and_goroutines_mix) {
  constexpr int each = 2000;
  chan<int> c(GetParam());
  tally got(4 * each);
  std::vector<std::thread> threads;
  sync::wait_group sending;
  sync::wait_group receiving;
  for (int s = 0; s < 2; ++s) {
    sending.add(1);
    threads.emplace_back([&, s] {
      for (int i = s * each; i < (s + 1) * each; ++i) c.send(i);
      sending.done();
    });
    sending.go([&, s] {
      for (int i = (2 + s) * each; i < (3 + s) * each; ++i) c.send(i);
    });
    receiving.add(1);
    threads.emplace_back([&] {
      for (int const i : c) got.add(i);
      receiving.done();
    });
    receiving.go([&] {
      for (int const i : c) got.add(i);
    });
  }
  sending.wait();
  c.close();
  receiving.wait();
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(got.missing(), 0);
  EXPECT_EQ(got.twice(), 0);
}

INSTANTIATE_TEST_SUITE_P(capacities, chan_stress, ::testing::Values(0, 1, 10, 100));

TEST(chan_stress, cancel_races_with_the_hand_over) {
  for (int i = 0; i < 1000; ++i) {
    chan<int> c(0);
    internal::cancel_source source;
    sync::wait_group wg;
    chan_outcome received{};
    wg.go([&] { received = c.recv_until({.cancel = &source}).outcome; });
    bool sent = false;
    wg.go([&] { sent = c.try_send(1); });
    wg.go([&] { source.fire(); });
    wg.wait();
    EXPECT_EQ(sent, received == chan_outcome::ok);
  }
}

TEST(chan_stress, timers_of_many_goroutines) {
  sync::wait_group wg;
  for (int g = 0; g < 50; ++g) {
    wg.go([g] {
      for (int i = 0; i < 20; ++i) {
        time::timer const t(std::chrono::microseconds((g * 7 + i * 13) % 300));
        chan<int> const other(0);
        select(recv(t.c()), recv(other), recv(time::after(1h)));
      }
    });
  }
  wg.wait();
}

TEST(chan_stress, channels_come_and_go_while_used) {
  sync::wait_group wg;
  for (int g = 0; g < 8; ++g) {
    wg.go([] {
      for (int i = 0; i < 500; ++i) {
        chan<std::unique_ptr<int>> c(i % 3);
        go([c, i] {
          c.send(std::make_unique<int>(i));
          c.close();
        });
        EXPECT_EQ(**c.recv(), i);
      }
    });
  }
  wg.wait();
}

}  // namespace
}  // namespace vole
