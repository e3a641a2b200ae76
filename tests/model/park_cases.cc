// SPDX-License-Identifier: Apache-2.0
// park.h, park.cc: one waiter, wakers, a cancel source. Whoever claims wakes
// the waiter once; what the waker wrote is seen; the ticket is touched by
// nobody once its owner has returned.

#include "vole/internal/park.h"
#include "vole/internal/raw_mutex.h"

#include "cases.h"
#include "place.h"
#include "runtime/timer.h"

namespace vole::model::cases {
namespace {

using internal::cancel_source;
using internal::park_ticket;
using internal::raw_lock;
using internal::raw_mutex;
using internal::wait_reason;
using internal::wake_reason;

void wake_one(bool waiter_is_goroutine) {
  place at;
  name(at, "place");
  bool woken = false;
  int got = 0;
  start("waiter", [&] { got = at.wait(); }, waiter_is_goroutine);
  thread("waker", [&] { woken = at.wake(7); });
  join();
  MODEL_CHECK(got == (woken ? 7 : 0));
}

void goroutine_and_waker_body() {
  wake_one(true);
}
void thread_and_waker_body() {
  wake_one(false);
}

void two_wakers_body() {
  place at;
  name(at, "place");
  int wakes = 0;
  int got = -1;
  bool first = false;
  bool second = false;
  go("waiter", [&] { got = at.wait(); });
  thread("waker", [&] { first = at.wake(1); });
  thread("other", [&] { second = at.wake(2); });
  join();
  wakes = static_cast<int>(first) + static_cast<int>(second);
  MODEL_CHECK(wakes <= 1);
  MODEL_CHECK(got == (first ? 1 : second ? 2 : 0));
}

// park_holding and wake_parked, as channels use them.
void park_holding_body() {
  raw_mutex mu;
  park_ticket* waiting = nullptr;
  int* slot = nullptr;
  bool came_first = false;
  int got = -1;
  name(mu, "mu");
  go("waiter", [&] {
    int slot_here = 0;
    park_ticket t;
    name(t, "ticket");
    mu.lock();
    if (!came_first) {
      waiting = &t;
      slot = &slot_here;
      park_ticket::held_lock held{[](void* lock) { static_cast<raw_mutex*>(lock)->unlock(); }, &mu};
      t.park_holding(wait_reason::chan_receive, held);
      got = slot_here;
    } else {
      mu.unlock();
      got = 7;
    }
  });
  thread("waker", [&] {
    mu.lock();
    park_ticket* const t = waiting;
    waiting = nullptr;
    came_first = t == nullptr;
    mu.unlock();
    if (t == nullptr) return;
    *slot = 7;
    t->wake_parked();
  });
  join();
  MODEL_CHECK(got == 7);
}

void cancel_and_waker_body() {
  place at;
  cancel_source source;
  name(at, "place");
  name(source, "source");
  place::ended e;
  bool woken = false;
  go("waiter", [&] { e = at.wait_until({.cancel = &source}); });
  thread("waker", [&] { woken = at.wake(7); });
  thread("canceler", [&] { source.fire(); });
  join();
  MODEL_CHECK(woken == (e.reason == wake_reason::ready));
  MODEL_CHECK(e.value == (woken ? 7 : 0));
}

void park_twice_body() {
  place first;
  place second;
  name(first, "first");
  name(second, "second");
  int got = 0;
  bool woken_first = false;
  bool woken_second = false;
  go("waiter", [&] { got = first.wait() + second.wait(); });
  thread("waker", [&] {
    woken_first = first.wake(1);
    woken_second = second.wake(2);
  });
  join();
  MODEL_CHECK(got == (woken_first ? 1 : 0) + (woken_second ? 2 : 0));
}

// The deadline's timer, which the processor's heap fires, against a waker.
void deadline_body() {
  constexpr time_point deadline{std::chrono::hours(2)};
  place at;
  internal::timer_heap heap;
  use_timers(heap);
  name(at, "place");
  name(heap, "heap");
  place::ended e;
  bool woken = false;
  go("waiter", [&] { e = at.wait_until({.deadline = deadline}); });
  thread("waker", [&] { woken = at.wake(7); });
  thread("clock", [&] { heap.run(deadline); });
  join();
  MODEL_CHECK(woken == (e.reason == wake_reason::ready));
  MODEL_CHECK(e.value == (woken ? 7 : 0));
}

// Two arm a timer at once, as two calls of set_deadline do: it stands in the heap once.
void timer_armed_by_two_body() {
  struct : internal::timer_node {
    int fired = 0;
  } node;
  node.fire = [](internal::timer_node* at, time_point) {
    ++static_cast<decltype(node)*>(at)->fired;
    return never;
  };
  internal::timer_heap heap;
  use_timers(heap);
  name(heap, "heap");
  thread("later", [&] { timer_advance(node, time_point(std::chrono::hours(2))); });
  thread("sooner", [&] { timer_advance(node, time_point(std::chrono::hours(1))); });
  join();
  MODEL_CHECK(heap.size() == 1);
  MODEL_CHECK(heap.next_when() == time_point(std::chrono::hours(1)));
  MODEL_CHECK(heap.run(time_point(std::chrono::hours(3))) == 1);
  MODEL_CHECK(node.fired == 1);
}

}  // namespace

model_case const timer_armed_by_two{
    "timer, armed by two", {.preemptions = 3}, timer_armed_by_two_body};
model_case const goroutine_and_waker{
    "park, a goroutine and its waker", {.preemptions = 4}, goroutine_and_waker_body};
model_case const thread_and_waker{
    "park, a thread and its waker", {.preemptions = 4}, thread_and_waker_body};
model_case const two_wakers{"park, two wakers", {.preemptions = 2}, two_wakers_body};
model_case const park_holding_a_lock{"park holding a lock", {.preemptions = 4}, park_holding_body};
model_case const cancel_and_waker{
    "park, a waker and a cancel", {.preemptions = 2}, cancel_and_waker_body};
model_case const deadline_and_waker{
    "park, a waker and a deadline", {.preemptions = 2, .stale_reads = 1}, deadline_body};
model_case const park_twice{"park, twice", {.preemptions = 2}, park_twice_body};

}  // namespace vole::model::cases
