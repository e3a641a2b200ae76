// SPDX-License-Identifier: Apache-2.0
// What the programs under Go's test/chan check, each under its file's name; see
// docs/internals/conformance.md.
#include <array>
#include <concepts>
#include <functional>
#include <gtest/gtest.h>
#include <queue>
#include <string>
#include <vector>

#include "vole/chan.h"
#include "vole/go.h"
#include "vole/runtime.h"
#include "vole/select.h"
#include "vole/sync.h"
#include "vole/testing.h"
#include "vole/time.h"

namespace vole {
namespace {

TEST(go_test_chan, doubleselect) {
  constexpr int iterations = 10'000;
  std::array<chan<int>, 4> c;
  for (auto& one : c) one = chan<int>(0);
  chan<int> merged(0);
  sync::wait_group sender;
  auto muxes = std::make_shared<sync::wait_group>();
  sender.go([c] {
    for (int i = 0; i < iterations; ++i) {
      select(send(c[0], i), send(c[1], i), send(c[2], i), send(c[3], i));
    }
    for (auto const& one : c) one.close();
  });
  for (auto const& one : c) {
    muxes->go([one, merged] {
      for (int const v : one) merged.send(v);
    });
  }
  go([=] {
    muxes->wait();
    merged.close();
  });
  std::vector<bool> seen(iterations);
  int n = 0;
  for (int const v : merged) {
    auto const at = static_cast<std::size_t>(v);
    ASSERT_FALSE(seen.at(at)) << "twice: " << v;
    seen[at] = true;
    ++n;
  }
  EXPECT_EQ(n, iterations);
  sender.wait();
}

TEST(go_test_chan, fifo) {
  constexpr int n = 10;
  chan<int> buffered(n);
  for (int i = 0; i < n; ++i) buffered.send(i);
  for (int i = 0; i < n; ++i) EXPECT_EQ(buffered.recv(), i);

  // Each in the chain receives from ch once the one before it has.
  chan<int> ch(0);
  chan<int> in(0);
  chan<int> const start = in;
  for (int i = 0; i < n; ++i) {
    chan<int> const out(0);
    go([=] {
      in.recv();
      EXPECT_EQ(ch.recv(), i);
      out.send(1);
    });
    in = out;
  }
  start.send(0);
  for (int i = 0; i < n; ++i) ch.send(i);
  in.recv();
}

TEST(go_test_chan, goroutines) {
  chan<int> const leftmost(0);
  chan<int> left = leftmost;
  for (int i = 0; i < 5000; ++i) {
    chan<int> const right(0);
    go([left, right] { left.send(*right.recv()); });
    left = right;
  }
  go([left] { left.send(1); });
  EXPECT_EQ(leftmost.recv(), 1);
}

// Operations that do not wait, against partners that come later, for elements of several types.
template <class T>
void nonblock_for(T const& sent, T const& received) {
  for (int const capacity : {0, 1}) {
    chan<T> c(capacity);
    chan<unit> strobe(0);
    EXPECT_EQ(c.try_recv(), std::nullopt);
    go([=] {
      EXPECT_EQ(c.recv(), sent);
      strobe.send({});
    });
    while (select(send(c, sent), otherwise()) == 1) runtime::yield();
    strobe.recv();
    go([=] {
      c.send(received);
      strobe.send({});
    });
    T v{};
    while (select(recv(c, &v), otherwise()) == 1) runtime::yield();
    EXPECT_EQ(v, received);
    strobe.recv();
  }
}

TEST(go_test_chan, nonblock) {
  nonblock_for<std::int32_t>(123, 234);
  nonblock_for<std::int64_t>(123456, 234567);
  nonblock_for<bool>(true, true);
  nonblock_for<std::string>("hello", "hello again");
}

template <class C>
concept can_send = requires(C const& c) { c.send(0); };
template <class C>
concept can_select_send = requires(C const& c) { send(c, 0); };
template <class C>
concept can_recv = requires(C const& c) { c.recv(); };
template <class C>
concept can_select_recv = requires(C const& c) { recv(c); };
template <class C>
concept can_range = requires(C const& c) { c.begin(); };
template <class C>
concept can_close = requires(C const& c) { c.close(); };

// What the directions permit is decided when the program is compiled.
TEST(go_test_chan, perm) {
  using both = chan<int>;
  using receiving = recv_chan<int>;
  using sending = send_chan<int>;
  static_assert(std::convertible_to<both, receiving> && std::convertible_to<both, sending>);
  static_assert(!std::convertible_to<receiving, both> && !std::convertible_to<sending, both>);
  static_assert(!std::convertible_to<sending, receiving>);
  static_assert(!std::convertible_to<receiving, sending>);
  static_assert(can_send<both> && can_send<sending> && !can_send<receiving> && !can_send<int>);
  static_assert(can_select_send<both> && can_select_send<sending> && !can_select_send<receiving>);
  static_assert(can_recv<both> && can_recv<receiving> && !can_recv<sending> && !can_recv<int>);
  static_assert(can_select_recv<both> && can_select_recv<receiving> && !can_select_recv<sending>);
  static_assert(can_range<both> && can_range<receiving> && !can_range<sending>);
  static_assert(can_close<both> && can_close<sending> && !can_close<receiving> && !can_close<int>);
}

TEST(go_test_chan, select) {
  unsigned asked = 0;
  unsigned shift = 0;
  auto const value = [&] {
    ++asked;
    return 1U << shift;
  };
  // The operands of all cases are evaluated, whatever is taken.
  auto const send_to = [&](chan<unsigned> a, chan<unsigned> b) {
    for (int taken = 0;; ++taken, ++shift) {
      int const which = select(send(a, value()), send(b, value()), otherwise());
      if (which == 2) return taken;
      (which == 0 ? a : b) = {};
    }
  };
  chan<unsigned> a(1);
  chan<unsigned> b(1);
  EXPECT_EQ(send_to(a, b), 2);
  EXPECT_EQ(*a.recv() | *b.recv(), 3U);
  EXPECT_EQ(send_to(a, {}), 1);
  EXPECT_EQ(asked, 10U);
}

// What cannot proceed waits for ever, also in a select, and what can does not wait.
TEST(go_test_chan, select3) {
  chan<int> const nil;
  chan<int> closed(0);
  closed.close();
  chan<int> const idle(0);
  chan<int> full(1);
  full.send(0);
  auto const soon = [] { return internal::park_limit{.deadline = time::now()}; };
  constexpr int none = internal::select_deadline;
  using internal::chan_outcome;

  EXPECT_EQ(nil.send_until(7, soon()), chan_outcome::deadline);
  EXPECT_EQ(nil.recv_until(soon()).outcome, chan_outcome::deadline);
  EXPECT_EQ(select(send(nil, 7), otherwise()), 1);
  EXPECT_EQ(select(recv(nil), otherwise()), 1);
  chan<int> roomy(1);
  roomy.send(7);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(closed.recv(), std::nullopt);
  EXPECT_DEATH(closed.send(7), "send on closed channel");
  EXPECT_EQ(idle.recv_until(soon()).outcome, chan_outcome::deadline);
  EXPECT_EQ(idle.send_until(7, soon()), chan_outcome::deadline);
  EXPECT_EQ(full.send_until(7, soon()), chan_outcome::deadline);

  EXPECT_EQ(select_until(soon()), none);
  EXPECT_EQ(select_until(soon(), recv(nil)), none);
  EXPECT_EQ(select_until(soon(), send(nil, 7)), none);
  EXPECT_EQ(select_until(soon(), recv(nil), send(nil, 7)), none);
  EXPECT_EQ(select_until(soon(), recv(idle)), none);
  EXPECT_EQ(select_until(soon(), recv(idle), send(idle, 7)), none);
  EXPECT_EQ(select_until(soon(), send(full, 7)), none);
  EXPECT_EQ(select(otherwise()), 0);
  EXPECT_EQ(select(recv(idle), otherwise()), 1);
  EXPECT_EQ(select(recv(idle), recv(closed)), 1);
  chan<int> one(1);
  EXPECT_EQ(select(recv(nil), send(one, 7)), 1);
  EXPECT_EQ(select(recv(closed), send(nil, 7)), 0);
  EXPECT_DEATH(select(send(closed, 7), otherwise()), "send on closed channel");
}

// Where a value goes is decided by the case that is taken.
TEST(go_test_chan, select4) {
  struct {
    int a = 0;
  } x;
  chan<int> c(1);
  chan<int> const c1(0);
  c.send(42);
  int untouched = 7;
  EXPECT_EQ(select(recv(c1, &untouched), recv(c, &x.a)), 1);
  EXPECT_EQ(x.a, 42);
  EXPECT_EQ(untouched, 7);
}

// A select that was woken by another channel has left its place in the queue.
TEST(go_test_chan, select6) {
  chan<bool> c1(0);
  chan<bool> c2(0);
  chan<bool> c3(0);
  sync::wait_group wg;
  wg.go([=] { c1.recv(); });
  wg.go([=] {
    EXPECT_EQ(select(recv(c1), recv(c2)), 1);
    c3.send(true);
    c1.recv();
  });
  testing::wait_until_parked(2);
  wg.go([=] { c2.send(true); });
  c3.recv();
  c1.send(true);
  c1.send(true);
  wg.wait();
}

// All ways to receive against all ways to send.
TEST(go_test_chan, select7) {
  using receiver = void (*)(chan<int> const&);
  using sender = void (*)(chan<int> const&);
  constexpr std::array<receiver, 3> receivers{
      [](chan<int> const& c) { c.recv(); },
      [](chan<int> const& c) { select(recv(c)); },
      [](chan<int> const& c) { select(recv(c), recv(chan<int>(0))); },
  };
  constexpr std::array<sender, 3> senders{
      [](chan<int> const& c) { c.send(1); },
      [](chan<int> const& c) { select(send(c, 1)); },
      [](chan<int> const& c) { select(send(c, 1), send(chan<int>(0), 1)); },
  };
  for (auto const receive : receivers) {
    for (auto const deliver : senders) {
      chan<int> c(0);
      sync::wait_group wg;
      wg.go([=] { receive(c); });
      runtime::yield();
      deliver(c);
      wg.wait();
    }
  }
}

TEST(go_test_chan, sendstmt) {
  chan<chan<int>> cc(1);
  chan<int> c(1);
  cc.send(c);
  // The channel of a case is evaluated even if it comes out of another channel.
  EXPECT_EQ(select(send(*cc.recv(), 2), otherwise()), 0);
  EXPECT_EQ(c.recv(), 2);
}

TEST(go_test_chan, sieve1) {
  chan<int> numbers(0);
  chan<unit> stop(0);
  sync::wait_group wg;
  wg.go([=] {
    for (int i = 2; select(send(numbers, i), recv(stop)) == 0; ++i) {
    }
  });
  std::vector<int> primes;
  chan<int> in = numbers;
  while (primes.size() < 25) {
    int const prime = *in.recv();
    primes.push_back(prime);
    chan<int> const out(0);
    wg.go([=] {
      int i = 0;
      while (select(recv(in, &i), recv(stop)) == 0) {
        if (i % prime != 0 && select(send(out, i), recv(stop)) == 1) return;
      }
    });
    in = out;
  }
  stop.close();
  wg.wait();
  EXPECT_EQ(primes.front(), 2);
  EXPECT_EQ(primes.back(), 97);
}

// An endless stream of start, start + step, ...
chan<int> stream(sync::wait_group& wg, chan<unit> const& stop, int capacity, int start, int step) {
  chan<int> const out(capacity);
  wg.go([=] {
    for (int n = start; select(send(out, n), recv(stop)) == 0; n += step) {
    }
  });
  return out;
}

// The composites are merged from the multiples of the primes found so far, which feed back.
TEST(go_test_chan, sieve2) {
  sync::wait_group wg;
  chan<unit> const stop(0);
  chan<int> const odds = stream(wg, stop, 50, 5, 2);
  struct multiples {
    int head;
    chan<int> rest;
    bool operator>(multiples const& other) const { return head > other.head; }
  };
  std::priority_queue<multiples, std::vector<multiples>, std::greater<>> composites;
  std::vector<int> primes{2, 3};
  auto const add_multiples_of = [&](int p) {
    chan<int> const m = stream(wg, stop, 10, p * p, 2 * p);
    composites.push({*m.recv(), m});
  };
  add_multiples_of(3);
  while (primes.size() < 100) {
    int const candidate = *odds.recv();
    bool composite = false;
    while (composites.top().head <= candidate) {
      multiples m = composites.top();
      composites.pop();
      composite = composite || m.head == candidate;
      m.head = *m.rest.recv();
      composites.push(m);
    }
    if (composite) continue;
    primes.push_back(candidate);
    add_multiples_of(candidate);
  }
  stop.close();
  wg.wait();
  EXPECT_EQ(primes.back(), 541);
}

TEST(go_test_chan, zerosize) {
  struct nothing {};
  for (int const capacity : {0, 1}) {
    chan<nothing> a(capacity);
    chan<unit> b(capacity);
    go([=] { a.send({}); });
    go([=] { b.send({}); });
    EXPECT_TRUE(a.recv().has_value());
    EXPECT_TRUE(b.recv().has_value());
  }
}

}  // namespace
}  // namespace vole
