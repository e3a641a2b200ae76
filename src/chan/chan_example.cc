// SPDX-License-Identifier: Apache-2.0
// Channels from the first send to a pipeline that its consumer stops. Quoted by
// docs/guide/channels.md.
#include <memory>
#include <string>

#include "vole/chan.h"
#include "vole/go.h"
#include "vole/internal/format.h"

using namespace vole;

namespace {

void send_and_recv() {
  // [send and recv]
  chan<std::string> messages(0);  // unbuffered: a send waits for its receiver
  go([messages] { messages.send("ping"); });
  fmt::print("{}\n", *messages.recv());
  // [send and recv]
}

void buffered_and_closed() {
  // [buffered and closed]
  chan<int> numbers(3);
  for (int i = 1; i <= 3; ++i) numbers.send(i * i);
  numbers.close();                                   // nothing more will come
  for (int const n : numbers) fmt::print("{} ", n);  // what is buffered is still there
  fmt::print("then closed: {}\n", !numbers.recv().has_value());
  // [buffered and closed]
}

// [directions]
recv_chan<int> count_to(int last) {
  chan<int> c(0);
  go([out = send_chan<int>(c), last] {
    for (int i = 1; i <= last; ++i) out.send(i);
    out.close();
  });
  return c;
}

recv_chan<int> squares(recv_chan<int> in) {
  chan<int> c(0);
  go([in, out = send_chan<int>(c)] {
    for (int const n : in) out.send(n * n);
    out.close();
  });
  return c;
}
// [directions]

void pipeline() {
  int sum = 0;
  for (int const n : squares(count_to(10))) sum += n;
  fmt::print("sum of squares: {}\n", sum);
}

void ownership() {
  // [ownership]
  struct document {
    std::string text;
  };
  chan<std::unique_ptr<document>> inbox(1);
  auto draft = std::make_unique<document>(document{"hello"});
  inbox.send(std::move(draft));  // who receives it owns it
  fmt::print("{} {}\n", (*inbox.recv())->text, draft == nullptr);
  // [ownership]
}

}  // namespace

int main() {
  return run([] {
    send_and_recv();
    buffered_and_closed();
    pipeline();
    ownership();
  });
}

// Output:
// ping
// 1 4 9 then closed: true
// sum of squares: 385
// hello true
