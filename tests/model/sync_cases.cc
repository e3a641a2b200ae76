// SPDX-License-Identifier: Apache-2.0
// raw_mutex.h, mutex_word.h, mutex.cc: one owner at a time, who sees what the
// one before wrote; and nobody waits for ever.

#include <memory>

#include "vole/internal/mutex_word.h"
#include "vole/internal/raw_mutex.h"
#include "vole/sync/mutex.h"

#include "cases.h"

namespace vole::model::cases {
namespace {

using internal::cancel_source;
using internal::raw_lock;
using internal::raw_mutex;
using internal::wake_reason;

void raw_mutex_three_body() {
  raw_mutex mu;
  int count = 0;
  name(mu, "mu");
  name(count, "count");
  for (int i = 0; i < 3; ++i) {
    thread("adder", [&] {
      raw_lock const held(mu);
      ++count;
    });
  }
  join();
  MODEL_CHECK(count == 3);
}

// adders: each adds `rounds` times under the mutex.
struct counter {
  sync::mutex mu;
  int count = 0;

  void add(int rounds) {
    for (int i = 0; i < rounds; ++i) {
      sync::lock_guard const held(mu);
      ++count;
    }
  }
};

void mutex_two_body() {
  counter c;
  name(c, "mutex");
  go("one", [&] { c.add(1); });
  go("two", [&] { c.add(2); });
  join();
  MODEL_CHECK(c.count == 3);
}

void mutex_three_body() {
  counter c;
  name(c, "mutex");
  for (char const* who : {"one", "two", "three"}) go(who, [&] { c.add(1); });
  join();
  MODEL_CHECK(c.count == 3);
}

void mutex_mixed_body() {
  counter c;
  name(c, "mutex");
  go("goroutine", [&] { c.add(1); });
  thread("thread", [&] { c.add(2); });
  join();
  MODEL_CHECK(c.count == 3);
}

// Each look at the clock is two milliseconds later: who loses once starves, and
// is handed it.
void mutex_starving_body() {
  clock_step(2'000'000);
  counter c;
  name(c, "mutex");
  go("one", [&] { c.add(2); });
  go("two", [&] { c.add(2); });
  join();
  MODEL_CHECK(c.count == 4);
}

// One that comes while another queues has not lost yet, however long that took.
void mutex_late_body() {
  clock_step(2'000'000);
  mutex_three_body();
}

// Of a spinner and the waiter that the owner goes to wake, one counts as awake: were it both, the
// first to take the mutex would count the other out, and a third could be woken beside it.
void mutex_word_woken_body() {
  using internal::mutex_word;
  mutex_word word;
  name(word, "word");
  std::uint32_t seen = 0;
  MODEL_CHECK(word.try_take(seen, false));
  seen = mutex_word::locked;
  MODEL_CHECK(word.try_queue(seen, false, false));
  bool spinner_awake = false;
  mutex_word::release_step step{};
  go("spinner", [&] {
    std::uint32_t looked = word.load();
    spinner_awake = word.try_set_woken(looked);
  });
  go("owner", [&] { step = word.begin_release(); });
  join();
  MODEL_CHECK(spinner_awake == (step == mutex_word::release_step::released));
}

void mutex_cancel_body() {
  counter c;
  cancel_source source;
  name(c, "mutex");
  name(source, "source");
  bool had = false;
  go("limited", [&] {
    had = c.mu.lock_until({.cancel = &source}) == wake_reason::ready;
    if (!had) return;
    ++c.count;
    c.mu.unlock();
  });
  go("other", [&] { c.add(2); });
  thread("canceler", [&] { source.fire(); });
  join();
  MODEL_CHECK(c.count == 2 + static_cast<int>(had));
  MODEL_CHECK(c.mu.try_lock());  // whatever happened, it is free now
  c.mu.unlock();
}

// The only one in the queue gives up while another begins to wait.
void mutex_cancel_and_queue_body() {
  counter c;
  cancel_source fired;
  fired.fire();
  name(c, "mutex");
  c.mu.lock();
  go("limited", [&] {
    if (c.mu.lock_until({.cancel = &fired}) == wake_reason::ready) c.mu.unlock();
  });
  go("owner", [&] { c.mu.unlock(); });
  go("other", [&] { c.add(1); });
  join();
  MODEL_CHECK(c.count == 1);
}

// Who gets it last may end its life: unlock's last access to it is before that.
void mutex_ends_body() {
  auto* const c = new counter;
  name(*c, "mutex");
  for (char const* who : {"one", "two"}) {
    go(who, [c] {
      c->mu.lock();
      bool const last = ++c->count == 2;
      c->mu.unlock();
      if (last) delete c;
    });
  }
  join();
}

}  // namespace

model_case const raw_mutex_three{
    "raw_mutex, three threads", {.preemptions = 2}, raw_mutex_three_body};
model_case const mutex_two{"mutex, two goroutines", {.preemptions = 2}, mutex_two_body};
model_case const mutex_three{
    "mutex, three goroutines", {.preemptions = 2, .stale_reads = 1}, mutex_three_body};
model_case const mutex_mixed{
    "mutex, a goroutine and a thread", {.preemptions = 2}, mutex_mixed_body};
model_case const mutex_starving{
    "mutex, handed over", {.preemptions = 2, .stale_reads = 1}, mutex_starving_body};
model_case const mutex_late{
    "mutex, who comes late", {.preemptions = 3, .stale_reads = 0}, mutex_late_body};
model_case const mutex_word_woken{
    "mutex's word, one counts as awake", {.preemptions = 3}, mutex_word_woken_body};
model_case const mutex_cancel_and_queue{"mutex, lock canceled while another queues",
                                        {.preemptions = 2, .stale_reads = 0},
                                        mutex_cancel_and_queue_body};
model_case const mutex_cancel{
    "mutex, lock canceled", {.preemptions = 2, .stale_reads = 1}, mutex_cancel_body};
model_case const mutex_ends{"mutex, ended by the last owner", {.preemptions = 2}, mutex_ends_body};

}  // namespace vole::model::cases
