// SPDX-License-Identifier: Apache-2.0
// Channel and select operations by themselves; bench/ holds the ones that are compared with Go.
#include <array>
#include <cstdint>
#include <memory>
#include <string>

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
