// SPDX-License-Identifier: Apache-2.0
// How cost grows: with the number of goroutines that are started, wait and are woken, and with the
// cases of a select. growth.sh runs it on one and on two processors and makes a table.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "vole/bench.h"
#include "vole/chan.h"
#include "vole/select.h"
#include "vole/sync.h"

#include "process_memory.h"

using namespace vole;

namespace {

using clock = std::chrono::steady_clock;

// The memory is that of the first round, in which nothing is there to be used again.
void start_and_wake(bench::benchmark& b, int goroutines) {
  std::chrono::nanoseconds starting{};
  std::chrono::nanoseconds waking{};
  std::int64_t rounds = 0;
  bench::memory grown;
  while (b.loop()) {
    auto const before = rounds == 0 ? bench::memory::now() : bench::memory{};
    auto const begin = clock::now();
    chan<int> gate(0);
    sync::wait_group started;
    sync::wait_group ended;
    started.add(goroutines);
    for (int i = 0; i < goroutines; ++i) {
      ended.go([&] {
        started.done();
        gate.recv();
      });
    }
    started.wait();
    auto const parked = clock::now();
    starting += parked - begin;
    if (rounds++ == 0) grown.grow_by(before);
    auto const wake = clock::now();
    gate.close();
    ended.wait();
    waking += clock::now() - wake;
  }
  auto const each = [&](std::chrono::nanoseconds all) {
    return static_cast<double>(all.count()) / static_cast<double>(rounds * goroutines);
  };
  b.report_metric(each(starting), "start-ns");
  b.report_metric(each(waking), "wake-ns");
  grown.report(b, goroutines, "goroutine");
}

VOLE_BENCH(goroutines) {
  for (int n = 10; n <= bench::goroutines_parked(); n *= 10) {
    b.run(std::to_string(n), [n](bench::benchmark& b) { start_and_wake(b, n); });
  }
}

// One of the channels is ready, and each turn makes the next one so.
template <std::size_t... I>
void select_ready(bench::benchmark& b, std::index_sequence<I...>) {
  std::array<chan<int>, sizeof...(I)> c;
  for (auto& one : c) one = chan<int>(1);
  c[0].send(1);
  while (b.loop()) {
    int v = 0;
    int const i = select(recv(c[I], &v)...);
    c[static_cast<std::size_t>(i + 1) % c.size()].send(v);
  }
}

// None is ready: the select waits at all of them, and another goroutine, which is woken for it,
// sends to one.
template <std::size_t... I>
void select_waiting(bench::benchmark& b, std::index_sequence<I...>) {
  std::array<chan<int>, sizeof...(I)> c;
  for (auto& one : c) one = chan<int>(0);
  chan<int> turn(0);
  sync::wait_group partner;
  partner.go([&] {
    for (std::size_t i = 0; turn.recv(); ++i) c[i % c.size()].send(1);
  });
  while (b.loop()) {
    turn.send(1);
    int v = 0;
    select(recv(c[I], &v)...);
  }
  turn.close();
  partner.wait();
}

template <std::size_t... N>
void each_number_of_cases(bench::benchmark& b, auto measure) {
  (b.run(std::to_string(N),
         [&](bench::benchmark& b) { measure(b, std::make_index_sequence<N>{}); }),
   ...);
}

VOLE_BENCH(select_ready) {
  each_number_of_cases<2, 4, 8, 16, 32, 64>(
      b, [](bench::benchmark& b, auto cases) { select_ready(b, cases); });
}

VOLE_BENCH(select_waiting) {
  each_number_of_cases<2, 4, 8, 16, 32, 64>(
      b, [](bench::benchmark& b, auto cases) { select_waiting(b, cases); });
}

}  // namespace
