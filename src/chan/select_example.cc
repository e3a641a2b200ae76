// SPDX-License-Identifier: Apache-2.0
// select: the first of several operations, a timeout, a case that is switched off. Quoted by
// docs/guide/channels.md.
#include <string>
#include <vector>

#include "vole/go.h"
#include "vole/internal/format.h"
#include "vole/select.h"
#include "vole/time.h"

using namespace vole;
using namespace std::chrono_literals;

namespace {

void first_that_can() {
  // [select]
  chan<int> numbers(1);
  chan<std::string> words(1);
  words.send("full");
  numbers.send(42);
  int n = 0;
  switch (select(recv(numbers, &n), send(words, "more"), otherwise())) {
    case 0:
      fmt::print("received {}\n", n);
      break;
    case 1:
      fmt::print("sent\n");
      break;
    default:
      fmt::print("neither could proceed at once\n");
  }
  // [select]
}

void with_timeout() {
  // [timeout]
  chan<int> answers(0);  // nobody ever sends
  int n = 0;
  switch (select(recv(answers, &n), recv(time::after(1ms)))) {
    case 0:
      fmt::print("answer {}\n", n);
      break;
    case 1:
      fmt::print("no answer within 1 ms\n");
      break;
  }
  // [timeout]
}

// [nil]
// merge hands on what comes from both until both are closed.
recv_chan<int> merge(recv_chan<int> a, recv_chan<int> b) {
  chan<int> out(0);
  go([a, b, out]() mutable {
    while (a || b) {
      int v = 0;
      bool ok = false;
      int const which = select(recv(a, &v, &ok), recv(b, &v, &ok));
      if (ok) {
        out.send(v);
      } else {
        (which == 0 ? a : b) = {};  // a nil channel is never ready: its case is switched off
      }
    }
    out.close();
  });
  return out;
}
// [nil]

void merged() {
  chan<int> a(2);
  chan<int> b(2);
  for (int const n : {1, 2}) a.send(n);
  for (int const n : {10, 20}) b.send(n);
  a.close();
  b.close();
  int sum = 0;
  for (int const n : merge(a, b)) sum += n;
  fmt::print("sum {}\n", sum);
}

void drop_when_full() {
  // [drop]
  chan<int> latest(1);
  int dropped = 0;
  for (int i = 0; i < 5; ++i) {
    if (!latest.try_send(i)) ++dropped;  // a slow reader never holds the writer back
  }
  fmt::print("kept {}, dropped {}\n", *latest.recv(), dropped);
  // [drop]
}

// [list]
// As many inputs as come: their cases are put together at run time.
int sum_of_all(std::vector<recv_chan<int>> const& inputs) {
  int v = 0;
  bool ok = false;
  select_list list;
  for (auto const& c : inputs) list.recv(c, &v, &ok);
  int sum = 0;
  for (std::size_t open = inputs.size(); open > 0;) {
    int const which = select(list);
    if (ok) {
      sum += v;
    } else {
      list.off(which);  // closed and drained
      --open;
    }
  }
  return sum;
}
// [list]

void many_inputs() {
  std::vector<recv_chan<int>> inputs;
  for (int i = 1; i <= 20; ++i) {
    chan<int> const c(1);
    c.send(i);
    c.close();
    inputs.emplace_back(c);
  }
  fmt::print("sum {}\n", sum_of_all(inputs));
}

}  // namespace

int main() {
  return run([] {
    first_that_can();
    with_timeout();
    merged();
    drop_when_full();
    many_inputs();
  });
}

// Output:
// received 42
// no answer within 1 ms
// sum 33
// kept 0, dropped 4
// sum 210
