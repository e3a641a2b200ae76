// SPDX-License-Identifier: Apache-2.0
// Channel operations and selects take no memory, however many cases there are. Sanitizers bring a
// malloc of their own, so nothing is counted there.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <gtest/gtest.h>
#include <utility>

#include "vole/chan.h"
#include "vole/go.h"
#include "vole/select.h"
#include "vole/sync.h"
#include "vole/testing.h"
#include "vole/time.h"

#include "runtime/malloc_count.h"

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

namespace vole {
namespace {

using namespace std::chrono_literals;

// How many blocks fn takes: the least of several calls, since the first may fill pools and the
// runtime may start a thread meanwhile.
template <class Fn>
std::uint64_t blocks_taken(Fn&& fn) {
  std::uint64_t least = UINT64_MAX;
  for (int i = 0; i < 5; ++i) {
    std::uint64_t const before = internal::malloc_count::read().blocks;
    fn();
    least = std::min(least, internal::malloc_count::read().blocks - before);
  }
  return least;
}

TEST(chan_alloc, blocks_are_counted) {
  EXPECT_EQ(blocks_taken([] { chan<int> const c(1); }), 1U);
  EXPECT_EQ(blocks_taken([] { time::timer const t(1h); }), 1U);
}

TEST(chan_alloc, send_and_recv_take_none) {
  chan<int> c(1);
  chan<int> there(0);
  chan<int> back(0);
  sync::wait_group wg;
  wg.go([=] {
    for (int const v : there) back.send(v);
  });
  EXPECT_EQ(blocks_taken([&] {
              for (int i = 0; i < 100; ++i) {
                c.send(i);
                c.recv();
                there.send(i);  // parks
                back.recv();
              }
            }),
            0U);
  there.close();
  wg.wait();
}

template <std::size_t... I>
int select_over(std::array<chan<int>, sizeof...(I)> const& c, int* v, std::index_sequence<I...>) {
  return select(recv(c[I], v)...);
}
template <std::size_t... I>
int select_over_or_not(std::array<chan<int>, sizeof...(I)> const& c, int* v,
                       std::index_sequence<I...>) {
  return select(recv(c[I], v)..., otherwise());
}

template <std::size_t N>
void select_takes_none() {
  constexpr auto all = std::make_index_sequence<N>();
  std::array<chan<int>, N> buffered;
  std::array<chan<int>, N> direct;
  for (auto& c : buffered) c = chan<int>(1);
  for (auto& c : direct) c = chan<int>(0);
  chan<std::size_t> turns(0);
  sync::wait_group wg;
  wg.go([=] {
    for (std::size_t const i : turns) direct[i].send(1);
  });
  EXPECT_EQ(blocks_taken([&] {
              int v = 0;
              for (std::size_t i = 0; i < N; ++i) {
                EXPECT_EQ(select_over_or_not(buffered, &v, all), static_cast<int>(N));
                buffered[i].send(1);
                EXPECT_EQ(select_over(buffered, &v, all), static_cast<int>(i));
                turns.send(i);
                EXPECT_EQ(select_over(direct, &v, all), static_cast<int>(i));  // parks as a rule
              }
            }),
            0U)
      << N << " cases";
  turns.close();
  wg.wait();
}

TEST(chan_alloc, select_takes_none) {
  select_takes_none<1>();
  select_takes_none<2>();
  select_takes_none<16>();
  select_takes_none<64>();
}

TEST(chan_alloc, select_list_takes_none_once_it_is_made) {
  std::array<chan<int>, 64> c;
  select_list list;
  int v = 0;
  for (auto& one : c) list.recv(one = chan<int>(1), &v);
  EXPECT_EQ(blocks_taken([&] {
              for (auto const& one : c) {
                one.send(1);
                select(list);
              }
            }),
            0U);
}

TEST(chan_alloc, timer_that_is_used_again_takes_none) {
  time::timer const t(1h);
  EXPECT_EQ(blocks_taken([&] {
              t.reset(0ns);
              t.c().recv();
              t.reset(1h);
              t.stop();
            }),
            0U);
}

}  // namespace
}  // namespace vole

#endif
