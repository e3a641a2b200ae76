// SPDX-License-Identifier: Apache-2.0
// select.cc: of the cases of a select one is carried out, and nothing else is
// taken or lost.

#include "vole/chan.h"
#include "vole/select.h"

#include "cases.h"

namespace vole::model::cases {
namespace {

void two_receives_body() {
  chan<int> a(0);
  chan<int> b(0);
  int got = 0;
  go("selecter", [&] {
    for (int i = 0; i < 2; ++i) {
      int x = 0;
      int y = 0;
      if (select(recv(a, &x), recv(b, &y)) == 0) {
        got += x;
      } else {
        got += y;
      }
    }
  });
  go("a", [&] { a.send(1); });
  go("b", [&] { b.send(10); });
  join();
  MODEL_CHECK(got == 11);
}

// Two selects that can only meet each other.
void facing_body() {
  chan<int> a(0);
  chan<int> b(0);
  int sent = -1;
  int got = -1;
  int value = 0;
  go("sender", [&] { sent = select(send(a, 1), send(b, 2)); });
  go("receiver", [&] { got = select(recv(a, &value), recv(b, &value)); });
  join();
  MODEL_CHECK(sent == got);
  MODEL_CHECK(value == sent + 1);
}

void send_or_receive_body() {
  chan<int> a(0);
  chan<int> b(1);
  int x = 0;
  int index = -1;
  go("selecter", [&] {
    index = select(recv(a, &x), send(b, 5));
    if (index == 1) a.recv();
  });
  go("sender", [&] { a.send(3); });
  join();
  MODEL_CHECK(index == 0 ? x == 3 && b.len() == 0 : b.len() == 1);
}

void and_close_body() {
  chan<int> a(0);
  chan<int> b(0);
  int x = 0;
  bool ok = true;
  int index = -1;
  bool was_sent = false;
  go("selecter", [&] {
    index = select(recv(a, &x), recv(b, &x, &ok));
    if (index == 1) was_sent = a.recv().has_value();
  });
  go("sender", [&] { a.send(3); });
  thread("closer", [&] { b.close(); });
  join();
  MODEL_CHECK(index == 0 ? x == 3 : !ok && was_sent);
}

}  // namespace

model_case const select_two_receives{
    "select, two receives", {.preemptions = 1, .stale_reads = 1}, two_receives_body};
model_case const select_facing_select{
    "select, facing a select", {.preemptions = 2, .stale_reads = 1}, facing_body};
model_case const select_send_or_receive{
    "select, send or receive", {.preemptions = 2, .stale_reads = 1}, send_or_receive_body};
model_case const select_and_close{
    "select, and a close", {.preemptions = 1, .stale_reads = 1}, and_close_body};

}  // namespace vole::model::cases
