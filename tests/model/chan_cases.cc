// SPDX-License-Identifier: Apache-2.0
// chan_lock.h, chan_core.h, chan_core.cc: each element arrives once, in order,
// with what its sender wrote; a close is seen after all that was sent.

#include <memory>
#include <optional>

#include "vole/chan.h"
#include "vole/internal/chan_lock.h"
#include "vole/select.h"

#include "cases.h"

namespace vole::model::cases {
namespace {

using internal::chan_lock;

// What a sender writes before it sends is read by who receives.
struct parcel {
  int value = 0;
};
using parcels = chan<parcel*>;

int opened(std::optional<parcel*> const& p) {
  return p.has_value() ? (*p)->value : 0;
}

template <class T>
void name_core(chan<T> const& c) {
  name(*internal::chan_access::core(c), "chan");
}

void chan_lock_body() {
  chan_lock mu;
  int count = 0;
  name(mu, "lock");
  for (char const* who : {"one", "two"}) {
    thread(who, [&] {
      for (int i = 0; i < 2; ++i) {
        mu.lock();
        ++count;
        mu.unlock();
      }
    });
  }
  join();
  MODEL_CHECK(count == 4);
}

void unbuffered_body() {
  parcels c(0);
  name_core(c);
  parcel p;
  int got = 0;
  go("sender", [&] {
    p.value = 5;
    c.send(&p);
  });
  go("receiver", [&] { got = opened(c.recv()); });
  join();
  MODEL_CHECK(got == 5);
}

void unbuffered_two_senders_body() {
  chan<int> c(0);
  name_core(c);
  int got = 0;
  go("one", [&] { c.send(1); });
  go("two", [&] { c.send(2); });
  go("receiver", [&] { got = *c.recv() * 10 + *c.recv(); });
  join();
  MODEL_CHECK(got == 12 || got == 21);
}

void buffered_body() {
  chan<int> c(1);
  name_core(c);
  int got = 0;
  go("sender", [&] {
    for (int i = 1; i <= 3; ++i) c.send(i);
  });
  go("receiver", [&] {
    for (int i = 0; i < 3; ++i) got = got * 10 + *c.recv();
  });
  join();
  MODEL_CHECK(got == 123);
}

void close_wakes_body() {
  chan<int> c(0);
  name_core(c);
  int ended = 0;
  bool first = false;
  bool second = false;
  go("one", [&] { first = !c.recv().has_value(); });
  go("two", [&] { second = !c.recv().has_value(); });
  thread("closer", [&] { c.close(); });
  join();
  ended = static_cast<int>(first) + static_cast<int>(second);
  MODEL_CHECK(ended == 2);
}

void close_after_send_body() {
  parcels c(1);
  name_core(c);
  parcel p;
  int got = -1;
  bool ended = false;
  go("sender", [&] {
    p.value = 5;
    c.send(&p);
    c.close();
  });
  go("receiver", [&] {
    got = opened(c.recv());
    ended = !c.recv().has_value();
  });
  join();
  MODEL_CHECK(got == 5);
  MODEL_CHECK(ended);
}

// The looks without the lock: what was sent before the close is never missed
// for the close.
void look_without_lock_body() {
  chan<int> c(1);
  name_core(c);
  go("sender", [&] {
    c.send(1);
    c.close();
  });
  go("looker", [&] {
    bool closed = false;
    int got = 0;
    for (int i = 0; i < 3 && !closed; ++i) {
      int one = 0;
      bool ok = false;
      if (select(recv(c, &one, &ok), otherwise()) != 0) continue;
      closed = !ok;
      got += one;
    }
    if (closed) MODEL_CHECK(got == 1);
  });
  join();
}

// The sender goes away while the receiver still holds a handle, and the other
// way round.
void last_handle_body() {
  auto* const c = new chan<int>(0);
  name_core(*c);
  go("sender", [c = chan<int>(*c)] { c.send(1); });
  go("receiver", [c = chan<int>(*c)] { MODEL_CHECK(*c.recv() == 1); });
  delete c;
  join();
}

// Who a close wakes may end the channel that the closer only refers to.
void closed_by_reference_body() {
  auto* const c = new chan<int>(0);
  name_core(*c);
  go("closer", [c] { c->close(); });
  go("receiver", [c] {
    MODEL_CHECK(!c->recv().has_value());
    delete c;
  });
  join();
}

}  // namespace

model_case const chan_lock_two{"chan_lock, two threads", {.preemptions = 3}, chan_lock_body};
model_case const unbuffered{"chan, unbuffered", {.preemptions = 3}, unbuffered_body};
model_case const unbuffered_two_senders{"chan, unbuffered, two senders",
                                        {.preemptions = 1, .stale_reads = 1},
                                        unbuffered_two_senders_body};
model_case const buffered{"chan, buffered", {.preemptions = 2}, buffered_body};
model_case const close_wakes_receivers{
    "chan, close wakes two", {.preemptions = 1, .stale_reads = 1}, close_wakes_body};
model_case const close_after_send{
    "chan, close after a send", {.preemptions = 2}, close_after_send_body};
model_case const look_without_lock{
    "chan, looks without the lock", {.preemptions = 3}, look_without_lock_body};
model_case const last_handle{"chan, the last handle", {.preemptions = 2}, last_handle_body};
model_case const closed_by_reference{
    "chan, closed by reference", {.preemptions = 2}, closed_by_reference_body};

}  // namespace vole::model::cases
