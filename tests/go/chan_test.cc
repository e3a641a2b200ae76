// SPDX-License-Identifier: Apache-2.0
// What Go's runtime/chan_test.go checks of channels and selects, under its names; see
// docs/internals/conformance.md.
#include "vole/chan.h"

#include <array>
#include <gtest/gtest.h>
#include <map>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include "vole/go.h"
#include "vole/internal/atomic.h"
#include "vole/runtime.h"
#include "vole/select.h"
#include "vole/sync.h"
#include "vole/testing.h"

namespace vole {
namespace {

using internal::atomic;

void receive_from_empty_waits(int capacity) {
  chan<int> c(capacity);
  sync::wait_group wg;
  atomic<int> received{0};
  for (int i = 0; i < 2; ++i) {
    wg.go([&] {
      c.recv();
      ++received;
    });
  }
  testing::wait_until_parked(2);
  EXPECT_EQ(received, 0);
  EXPECT_EQ(select(recv(c), otherwise()), 1);
  EXPECT_EQ(c.try_recv(), std::nullopt);
  c.send(0);
  c.send(0);
  wg.wait();
}

void send_to_full_waits(int capacity) {
  chan<int> c(capacity);
  for (int i = 0; i < capacity; ++i) c.send(i);
  sync::wait_group wg;
  atomic<bool> sent{false};
  wg.go([&] {
    c.send(0);
    sent = true;
  });
  testing::wait_until_parked(1);
  EXPECT_FALSE(sent);
  EXPECT_EQ(select(send(c, 0), otherwise()), 1);
  c.recv();
  wg.wait();
  EXPECT_TRUE(sent);
}

void closed_drains_then_yields_zero(int capacity) {
  chan<int> c(capacity);
  for (int i = 0; i < capacity; ++i) c.send(i);
  c.close();
  for (int i = 0; i < capacity; ++i) EXPECT_EQ(c.recv(), i);
  EXPECT_EQ(c.recv(), std::nullopt);
  int v = 5;
  bool ok = true;
  EXPECT_EQ(select(recv(c, &v, &ok)), 0);
  EXPECT_EQ(v, 0);
  EXPECT_FALSE(ok);
}

void close_unblocks_receive(int capacity) {
  chan<int> c(capacity);
  chan<bool> done(0);
  go([=] { done.send(c.recv().has_value()); });
  testing::wait_until_parked(1);
  c.close();
  EXPECT_EQ(done.recv(), false);
}

void hundred_arrive_in_order(int capacity) {
  chan<int> c(capacity);
  go([=] {
    for (int i = 0; i < 100; ++i) c.send(i);
  });
  for (int i = 0; i < 100; ++i) ASSERT_EQ(c.recv(), i);
}

void four_by_four_lose_nothing(int capacity) {
  constexpr int pairs = 4;
  constexpr int each = 1000;
  chan<int> c(capacity);
  chan<std::map<int, int>> done(0);
  for (int p = 0; p < pairs; ++p) {
    go([=] {
      for (int i = 0; i < each; ++i) c.send(i);
    });
    go([=] {
      std::map<int, int> got;
      for (int i = 0; i < each; ++i) ++got[*c.recv()];
      done.send(std::move(got));
    });
  }
  std::map<int, int> all;
  for (int p = 0; p < pairs; ++p) {
    std::map<int, int> const part = *done.recv();
    for (auto const& [v, n] : part) all[v] += n;
  }
  EXPECT_EQ(all.size(), static_cast<std::size_t>(each));
  for (auto const& [v, n] : all) ASSERT_EQ(n, pairs) << v;
}

void len_and_cap(int capacity) {
  chan<int> c(capacity);
  auto const want = static_cast<std::size_t>(capacity);
  EXPECT_EQ(c.len(), 0U);
  EXPECT_EQ(c.cap(), want);
  for (int i = 0; i < capacity; ++i) c.send(i);
  EXPECT_EQ(c.len(), want);
  EXPECT_EQ(c.cap(), want);
}

TEST(go_chan, TestChan) {
  for (int capacity = 0; capacity < 20; ++capacity) {
    receive_from_empty_waits(capacity);
    send_to_full_waits(capacity);
    closed_drains_then_yields_zero(capacity);
    close_unblocks_receive(capacity);
    hundred_arrive_in_order(capacity);
    four_by_four_lose_nothing(capacity);
    len_and_cap(capacity);
  }
}

// A close does not hide what is buffered from a receive that does not wait.
TEST(go_chan, TestNonblockRecvRace) {
  for (int i = 0; i < 1000; ++i) {
    chan<int> c(1);
    c.send(1);
    sync::wait_group wg;
    wg.go([=] { EXPECT_EQ(select(recv(c), otherwise()), 0); });
    c.close();
    c.recv();
    wg.wait();
  }
}

// One of two channels is ready at each moment: a select over both never takes the default. `then`
// makes the second ready before the first is emptied.
template <class MakeReady>
void never_takes_the_default(int capacity2, MakeReady make_ready) {
  chan<bool> done(1);
  for (int i = 0; i < 2000; ++i) {
    chan<int> c1(1);
    chan<int> c2(capacity2);
    c1.send(1);
    go([=] { done.send(select(recv(c1), recv(c2), otherwise()) != 2); });
    make_ready(c2);
    c1.try_recv();
    ASSERT_EQ(done.recv(), true) << "round " << i;
  }
}

TEST(go_chan, TestNonblockSelectRace) {
  never_takes_the_default(1, [](chan<int> const& c) { c.send(1); });
}

TEST(go_chan, TestNonblockSelectRace2) {
  never_takes_the_default(0, [](chan<int> const& c) { c.close(); });
}

// Both directions of one channel in one select: nobody meets himself.
TEST(go_chan, TestSelfSelect) {
  for (int const capacity : {0, 10}) {
    chan<int> c(capacity);
    sync::wait_group wg;
    for (int p = 0; p < 2; ++p) {
      wg.go([=] {
        for (int i = 0; i < 1000; ++i) {
          int v = -1;
          bool const send_first = p == 0 || i % 2 == 0;
          int const which =
              send_first ? select(send(c, p), recv(c, &v)) : 1 - select(recv(c, &v), send(c, p));
          if (capacity == 0 && which == 1) {
            ASSERT_NE(v, p) << "self receive";
          }
        }
      });
    }
    wg.wait();
  }
}

// For each of four channels: one who sends n, one who receives n, and one of each who serves all
// four in a select and switches a channel off after n.
TEST(go_chan, TestSelectStress) {
  constexpr int n = 3000;
  std::array<chan<int>, 4> const c{chan<int>(0), chan<int>(0), chan<int>(2), chan<int>(3)};
  sync::wait_group wg;
  for (auto const& one : c) {
    wg.go([one] {
      for (int i = 0; i < n; ++i) one.send(0);
    });
    wg.go([one] {
      for (int i = 0; i < n; ++i) one.recv();
    });
  }
  auto const count = [](std::array<int, 4>& counts, std::array<chan<int>, 4>& cs, std::size_t at) {
    if (++counts.at(at) == n) cs.at(at) = {};
  };
  wg.go([c, count] {
    std::array<int, 4> counts{};
    auto cs = c;
    for (int i = 0; i < 4 * n; ++i) {
      int const at = select(send(cs[3], 0), send(cs[2], 0), send(cs[0], 0), send(cs[1], 0));
      count(counts, cs, std::array<std::size_t, 4>{3, 2, 0, 1}.at(static_cast<std::size_t>(at)));
    }
  });
  wg.go([c, count] {
    std::array<int, 4> counts{};
    auto cs = c;
    for (int i = 0; i < 4 * n; ++i) {
      int const at = select(recv(cs[0]), recv(cs[1]), recv(cs[2]), recv(cs[3]));
      count(counts, cs, static_cast<std::size_t>(at));
    }
  });
  wg.wait();
}

TEST(go_chan, TestSelectFairness) {
  constexpr int trials = 10'000;
  chan<int> c1(trials + 1);
  chan<int> c2(trials + 1);
  for (int i = 0; i < trials + 1; ++i) {
    c1.send(1);
    c2.send(2);
  }
  chan<int> const c3(0);
  chan<int> const c4(0);
  chan<int> out(0);
  chan<unit> done(0);
  sync::wait_group wg;
  wg.go([=] {
    for (;;) {
      int b = 0;
      select(recv(c3, &b), recv(c4, &b), recv(c1, &b), recv(c2, &b));
      if (select(send(out, b), recv(done)) == 1) return;
    }
  });
  int ones = 0;
  for (int i = 0; i < trials; ++i) ones += *out.recv() == 1 ? 1 : 0;
  done.close();
  wg.wait();
  EXPECT_NEAR(ones, trials / 2, 500);  // ten standard deviations
}

// Elements that are handles of another type than what is sent are converted once, and those that
// are not sent are dropped.
TEST(go_chan, TestChanSendInterface) {
  struct base {
    virtual ~base() = default;
  };
  struct derived : base {};
  chan<std::shared_ptr<base>> c(1);
  auto const m = std::make_shared<derived>();
  c.send(m);
  EXPECT_EQ(select(send(c, m), otherwise()), 1);
  EXPECT_EQ(select(send(c, m), send(c, std::make_shared<derived>()), otherwise()), 2);
  EXPECT_EQ(m.use_count(), 2);
}

TEST(go_chan, TestPseudoRandomSend) {
  constexpr int n = 100;
  for (int const capacity : {0, n}) {
    chan<int> c(capacity);
    std::vector<int> got(n);
    sync::wait_group wg;
    wg.go([&] {
      for (int& v : got) {
        runtime::yield();
        v = *c.recv();
      }
    });
    for (int i = 0; i < n; ++i) select(send(c, 1), send(c, 0));
    wg.wait();
    int const ones = std::accumulate(got.begin(), got.end(), 0);
    EXPECT_GT(ones, n / 10) << "capacity " << capacity;
    EXPECT_LT(ones, n - n / 10) << "capacity " << capacity;
  }
}

TEST(go_chan, TestMultiConsumer) {
  constexpr int workers = 23;
  constexpr int elements = 20'000;
  constexpr std::array<int, 10> primes{2, 3, 7, 11, 13, 17, 19, 23, 27, 31};
  chan<int> q(workers * 3);
  chan<int> r(workers * 3);
  auto wg = std::make_shared<sync::wait_group>();
  for (std::size_t w = 0; w < workers; ++w) {
    wg->go([=] {
      for (int const v : q) {
        if (primes.at(w % primes.size()) == v) runtime::yield();  // so that the order is disturbed
        r.send(v);
      }
    });
  }
  int expected = 0;
  for (std::size_t i = 0; i < elements; ++i) expected += primes.at(i % primes.size());
  go([=] {
    for (std::size_t i = 0; i < elements; ++i) q.send(primes.at(i % primes.size()));
    q.close();
    wg->wait();
    r.close();
  });
  int n = 0;
  int sum = 0;
  for (int const v : r) {
    ++n;
    sum += v;
  }
  EXPECT_EQ(n, elements);
  EXPECT_EQ(sum, expected);
}

TEST(go_chan, TestSelectDuplicateChannel) {
  chan<int> c(0);
  chan<int> d(0);
  chan<int> e(0);
  sync::wait_group wg;
  wg.go([=] {
    select(recv(c), recv(c), recv(d));
    e.send(9);
  });
  testing::wait_until_parked(1);
  wg.go([=] { EXPECT_EQ(c.recv(), 8); });
  testing::wait_until_parked(2);
  d.send(7);  // the select leaves both its places in the queue of c
  EXPECT_EQ(e.recv(), 9);
  c.send(8);
  wg.wait();
}

}  // namespace
}  // namespace vole
