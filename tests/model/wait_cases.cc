// SPDX-License-Identifier: Apache-2.0
// rw_mutex, with and without its readers' bias, wait_group, cond, semaphore.

#include "vole/sync/cond.h"
#include "vole/sync/rw_mutex.h"
#include "vole/sync/semaphore.h"
#include "vole/sync/wait_group.h"

#include "cases.h"

namespace vole::sync {

struct rw_mutex_access {
  static void bias(rw_mutex& mu) noexcept { mu.bias(); }
};

}  // namespace vole::sync

namespace vole::model::cases {
namespace {

using internal::cancel_source;
using internal::wake_reason;

void readers_and_writer(bool biased) {
  sync::rw_mutex mu;
  name(mu, "rw_mutex");
  int data[2] = {};
  if (biased) sync::rw_mutex_access::bias(mu);
  auto const read = [&] {
    sync::read_guard const held(mu);
    MODEL_CHECK(data[0] == data[1]);
  };
  go("reader", read);
  go("writer", [&] {
    sync::write_guard const held(mu);
    ++data[0];
    ++data[1];
  });
  if (!biased) go("other reader", read);
  join();
  MODEL_CHECK(mu.try_lock());
  MODEL_CHECK(data[1] == 1);
  mu.unlock();
}

void rw_mutex_body() {
  readers_and_writer(false);
}
void rw_mutex_biased_body() {
  readers_and_writer(true);
}

// A reader goes to its slot as soon as another one has made them.
void rw_mutex_bias_begins_body() {
  sync::rw_mutex mu;
  name(mu, "rw_mutex");
  go("first reader", [&] {
    sync::read_guard const held(mu);
    sync::rw_mutex_access::bias(mu);
  });
  go("other reader", [&] { sync::read_guard const held(mu); });
  join();
  MODEL_CHECK(mu.try_lock());
  mu.unlock();
}

// What each did before done() is seen after wait(), and the wait_group may end
// then.
void wait_group_body() {
  auto* const wg = new sync::wait_group;
  name(*wg, "wait_group");
  int done[2] = {};
  wg->add(2);
  for (int i = 0; i < 2; ++i) {
    thread("worker", [&done, wg, i] {
      done[i] = 1;
      wg->done();
    });
  }
  go("waiter", [&done, wg] {
    wg->wait();
    MODEL_CHECK(done[0] + done[1] == 2);
    delete wg;
  });
  join();
}

// A wait that ends early leaves nothing behind that could end the next one too early, or touch the
// wait_group after it.
void wait_group_ends_early_body() {
  auto* const wg = new sync::wait_group;
  name(*wg, "wait_group");
  cancel_source fired;
  fired.fire();
  int done[2] = {};
  wg->add(1);
  thread("first", [&done, wg] {
    done[0] = 1;
    wg->done();
  });
  go("waiter", [&] {
    if (wg->wait_until({.cancel = &fired}) != wake_reason::ready) {
      wg->add(1);
      go("second", [&done, wg] {
        done[1] = 1;
        wg->done();
      });
      wg->wait();
      MODEL_CHECK(done[1] == 1);
    }
    MODEL_CHECK(done[0] == 1);
    delete wg;
  });
  join();
}

// The last to leave ends the cond, while broadcast wakes one and another gives up.
void cond_ends_body() {
  struct shared {
    sync::mutex mu;
    sync::cond changed{mu};
    bool on = false;
    int inside = 2;
  };
  auto* const s = new shared;
  name(*s, "cond");
  cancel_source fired;
  fired.fire();
  auto const leave = [s] {  // the caller holds mu
    bool const last = --s->inside == 0;
    s->mu.unlock();
    if (last) delete s;
  };
  go("waiter", [&, s] {
    s->mu.lock();
    go("limited", [&, s] {
      s->mu.lock();
      static_cast<void>(s->changed.wait_until({.cancel = &fired}));
      leave();
    });
    go("broadcaster", [s] {
      s->mu.lock();
      s->on = true;
      s->mu.unlock();
      s->changed.broadcast();
    });
    while (!s->on) s->changed.wait();
    leave();
  });
  join();
}

void semaphore_body() {
  sync::semaphore sem(1);
  name(sem, "semaphore");
  int count = 0;
  for (char const* who : {"one", "two", "three"}) {
    go(who, [&] {
      sem.acquire();
      ++count;
      sem.release();
    });
  }
  join();
  MODEL_CHECK(count == 3);
  MODEL_CHECK(sem.try_acquire());
}

}  // namespace

model_case const rw_mutex_two_readers{
    "rw_mutex, two readers and a writer", {.preemptions = 2, .stale_reads = 1}, rw_mutex_body};
model_case const rw_mutex_biased{
    "rw_mutex, a reader in its slot and a writer", {.preemptions = 3}, rw_mutex_biased_body};
model_case const rw_mutex_bias_begins{"rw_mutex, one reader makes the slots, another uses its own",
                                      {.preemptions = 3},
                                      rw_mutex_bias_begins_body};
model_case const wait_group_ends{
    "wait_group, ended by who waited", {.preemptions = 2}, wait_group_body};
model_case const wait_group_ends_early{
    "wait_group, a wait ends early", {.preemptions = 2}, wait_group_ends_early_body};
model_case const cond_ends{
    "cond, ended by who left last", {.preemptions = 2, .stale_reads = 0}, cond_ends_body};
model_case const semaphore_three{
    "semaphore, three for one unit", {.preemptions = 1, .stale_reads = 1}, semaphore_body};

}  // namespace vole::model::cases
