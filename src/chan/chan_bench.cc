// SPDX-License-Identifier: Apache-2.0
// Channel and select operations by themselves; bench/ holds the ones that are compared with Go.
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "vole/bench.h"
#include "vole/chan.h"
#include "vole/go.h"
#include "vole/runtime.h"
#include "vole/select.h"
#include "vole/time.h"

using namespace vole;

namespace {

using namespace std::chrono_literals;

void report_sum(bench::benchmark& b, std::int64_t sum) {
  b.report_metric(b.n == 0 ? 0 : static_cast<double>(sum) / static_cast<double>(b.n), "check/op");
}

VOLE_BENCH(send_recv_int) {
  chan<int> c(1);
  std::int64_t sum = 0;
  while (b.loop()) {
    c.send(1);
    sum += *c.recv();
  }
  report_sum(b, sum);
}

VOLE_BENCH(send_recv_string) {
  chan<std::string> c(1);
  std::string s(100, 'x');
  std::int64_t sum = 0;
  while (b.loop()) {
    c.send(std::move(s));
    s = *c.recv();
    sum += static_cast<std::int64_t>(s.size());
  }
  report_sum(b, sum);
}

VOLE_BENCH(send_recv_4_ki_b) {
  using page = std::array<char, 4096>;
  chan<page> c(1);
  auto p = std::make_unique<page>();
  std::int64_t sum = 0;
  while (b.loop()) {
    (*p)[0] = 1;
    c.send(std::move(*p));
    sum += (*c.recv())[0];
  }
  report_sum(b, sum);
}

VOLE_BENCH(try_recv_empty) {
  chan<int> c(1);
  std::int64_t sum = 0;
  while (b.loop()) sum += c.try_recv().has_value() ? 1 : 0;
  report_sum(b, sum);
}

VOLE_BENCH(make_and_drop) {
  std::int64_t sum = 0;
  while (b.loop()) {
    chan<int> c(8);
    bench::keep(c);
    sum += static_cast<std::int64_t>(c.cap());
  }
  report_sum(b, sum);
}

VOLE_BENCH(unbuffered_hand_over) {
  chan<int> c(0);
  std::int64_t sum = 0;
  chan<unit> finished(0);
  go([&] {
    for (int const v : c) sum += v;
    finished.send({});
  });
  while (b.loop()) c.send(1);
  c.close();
  finished.recv();
  report_sum(b, sum);
}

// As many senders as receivers, four per processor.
VOLE_BENCH(contended_buffer) {
  chan<int> c(128);
  int const receivers = 4 * runtime::max_procs();
  chan<std::int64_t> sums(receivers);
  for (int i = 0; i < receivers; ++i) {
    go([=] {
      std::int64_t mine = 0;
      for (int const v : c) mine += v;
      sums.send(mine);
    });
  }
  b.set_parallelism(4);
  b.run_parallel([&](bench::parallel& turns) {
    while (turns.next()) c.send(1);
  });
  c.close();
  std::int64_t sum = 0;
  for (int i = 0; i < receivers; ++i) sum += *sums.recv();
  report_sum(b, sum);
}

VOLE_BENCH(select_one_of_4_ready) {
  std::array<chan<int>, 4> cs{chan<int>(1), chan<int>(1), chan<int>(1), chan<int>(1)};
  std::int64_t sum = 0;
  std::size_t turn = 0;
  while (b.loop()) {
    cs[turn++ % 4].send(1);
    int x = 0;
    select(recv(cs[0], &x), recv(cs[1], &x), recv(cs[2], &x), recv(cs[3], &x));
    sum += x;
  }
  report_sum(b, sum);
}

VOLE_BENCH(select_parks_in_4) {
  std::array<chan<int>, 4> cs{chan<int>(0), chan<int>(0), chan<int>(0), chan<int>(0)};
  chan<unit> done(0);
  std::int64_t sum = 0;
  chan<unit> finished(0);
  go([&] {
    for (int x = 0;; sum += x) {
      if (select(recv(cs[0], &x), recv(cs[1], &x), recv(cs[2], &x), recv(cs[3], &x), recv(done)) ==
          4) {
        break;
      }
    }
    finished.send({});
  });
  std::size_t turn = 0;
  while (b.loop()) cs[turn++ % 4].send(1);
  done.close();
  finished.recv();
  report_sum(b, sum);
}

template <std::size_t... I>
int select_over(std::array<chan<int>, sizeof...(I)> const& c, int* v, std::index_sequence<I...>) {
  return select(recv(c[I], v)...);
}

// One of N cases is ready, each in turn.
template <std::size_t N>
void one_ready(bench::benchmark& b) {
  std::array<chan<int>, N> c;
  for (auto& one : c) one = chan<int>(1);
  std::int64_t sum = 0;
  std::size_t turn = 0;
  while (b.loop()) {
    c[turn++ % N].send(1);
    int v = 0;
    select_over(c, &v, std::make_index_sequence<N>());
    sum += v;
  }
  report_sum(b, sum);
}

// None of N cases is ready: the select parks in all, and one sends.
template <std::size_t N>
void none_ready(bench::benchmark& b) {
  std::array<chan<int>, N> c;
  for (auto& one : c) one = chan<int>(0);
  chan<std::int64_t> result(0);
  go([=, n = b.n] {
    std::int64_t sum = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      int v = 0;
      select_over(c, &v, std::make_index_sequence<N>());
      sum += v;
    }
    result.send(sum);
  });
  for (std::int64_t i = 0; i < b.n; ++i) c[static_cast<std::size_t>(i) % N].send(1);
  report_sum(b, *result.recv());
}

// How a select grows with its cases; see docs/internals/channels.md.
VOLE_BENCH(select_cases) {
  b.run("ready=2", one_ready<2>);
  b.run("ready=4", one_ready<4>);
  b.run("ready=8", one_ready<8>);
  b.run("ready=16", one_ready<16>);
  b.run("ready=32", one_ready<32>);
  b.run("ready=64", one_ready<64>);
  b.run("parks=2", none_ready<2>);
  b.run("parks=4", none_ready<4>);
  b.run("parks=8", none_ready<8>);
  b.run("parks=16", none_ready<16>);
  b.run("parks=32", none_ready<32>);
  b.run("parks=64", none_ready<64>);
}

VOLE_BENCH(after_in_select) {
  chan<int> c(1);
  std::int64_t sum = 0;
  while (b.loop()) {
    c.send(1);
    int x = 0;
    select(recv(c, &x), recv(time::after(1h)));
    sum += x;
  }
  report_sum(b, sum);
}

}  // namespace
