// SPDX-License-Identifier: Apache-2.0
// Taking the processor away from a worker that stays outside the runtime, as docs/design/0009 has
// it. The product does not: the protocol stands here alone, in both builds, over the product's run
// queue.
//
// INVARIANTS
//   A worker touches what its processor's owner alone may only between enter() and leave(), and
//   only if it still holds one then. It holds none from the enter() that finds it taken.
//   evict() takes a processor only from a worker that is outside, and only the one that it names.

#include <memory>
#include <utility>

#include "vole/internal/raw_mutex.h"

#include "cases.h"
#include "crowd.h"
#include "runtime/asymmetric.h"
#include "runtime/run_queue.h"

namespace vole::model::cases {
namespace {

using internal::atomic;
using internal::fast_store;
using internal::goroutine;
using internal::goroutine_chain;
using internal::raw_lock;
using internal::raw_mutex;
using internal::run_queue;
using internal::slow_barrier;

struct processor {
  run_queue queue;
  int owned = 0;  // its owner's alone, as the cache of stacks and the block of ids
  atomic<void const*> holder{nullptr};
};

// The word holds the processor while its worker is outside: who gets it out of there has it. One
// read-modify-write for each entry.
struct by_exchange {
  processor* held = nullptr;
  atomic<processor*> left_outside{nullptr};

  void enter() {
    // seq_cst, the plain build. pairs with eviction_cases.cc:by_exchange::evict
    held = left_outside.exchange(nullptr, memory_order::seq_cst);
  }
  void leave() {
    // pairs with eviction_cases.cc:by_exchange::evict
    left_outside.store(held, memory_order::release);
  }
  bool evict(processor& p) {
    processor* found = &p;
    // pairs with eviction_cases.cc:by_exchange::leave
    return left_outside.compare_exchange_strong(found, nullptr, memory_order::acq_rel);
  }
};

// The worker says where it is by a plain store. Who wants its processor asks, has all threads pass
// a barrier, and looks; the worker answers when it enters. The answer and the taking are one step.
struct by_barrier {
  enum request : int { none, asked, taken };

  processor* held = nullptr;
  atomic<bool> inside{true};
  atomic<int> word{none};

  void enter() {
    fast_store(inside, true);  // pairs with evict
    if (word.load(memory_order::relaxed) != none) answer();
  }
  void answer() {
    int found = asked;
    // relaxed, no partner: a processor that stays is handed to nobody
    if (word.compare_exchange_strong(found, none, memory_order::relaxed) || found == none) return;
    held = nullptr;
    word.store(none, memory_order::relaxed);  // no partner: the barrier of who asks next
  }
  void leave() {
    // pairs with eviction_cases.cc:by_barrier::evict
    inside.store(false, memory_order::release);
  }
  bool evict(processor& p) {
    int found = none;
    // relaxed, no partner: the barrier orders it
    if (!word.compare_exchange_strong(found, asked, memory_order::relaxed)) return false;
    slow_barrier();
    // pairs with eviction_cases.cc:by_barrier::leave
    bool const outside = !inside.load(memory_order::acquire);
    bool const named = p.holder.load(memory_order::relaxed) == this;  // as leave() left it
    found = asked;
    // relaxed, no partner: what the worker did before it left has been acquired
    bool const open =
        word.compare_exchange_strong(found, outside && named ? taken : none, memory_order::relaxed);
    return open && outside && named;
  }
};

// What is for all, under one lock.
struct shared {
  raw_mutex mu;
  goroutine_chain global;
  processor* idle = nullptr;
};

void use(processor& p, goroutine* g) {
  ++p.owned;
  goroutine_chain overflow;
  p.queue.push(g, overflow);
}

template <class Worker>
struct scene {
  shared all;
  processor p;
  Worker hog;
  Worker heir;
  crowd made;

  explicit scene(int goroutines) : made(goroutines) {
    name(p, "processor");
    name(hog, "hog");
    name(heir, "heir");
    name(all, "shared");
    hold(hog, p);
    hog.leave();
    heir.leave();
  }

  static void hold(Worker& w, processor& p) {
    w.held = &p;
    p.holder.store(&w, memory_order::relaxed);  // no partner: who looks has acquired a leave()
  }
  void make_ready(Worker& w, int i) {
    w.enter();
    if (w.held != nullptr) {
      use(*w.held, made.prepared(i));
    } else {
      give_to_all(i);
    }
    w.leave();
  }
  void give_to_all(int i) {
    raw_lock const lock(all.mu);
    all.global.push(made.prepared(i));
  }
  // take_idle is what a worker without a processor does at its next park.
  void take_idle(Worker& w) {
    w.enter();
    if (w.held == nullptr) {
      raw_lock const lock(all.mu);
      if (all.idle != nullptr) hold(w, *std::exchange(all.idle, nullptr));
    }
    w.leave();
  }
  void let_go(Worker& w) {
    w.enter();
    if (w.held != nullptr) put_idle(*std::exchange(w.held, nullptr));
    w.leave();
  }
  void put_idle(processor& of) {
    of.holder.store(nullptr, memory_order::relaxed);  // no partner: as hold()
    raw_lock const lock(all.mu);
    all.idle = &of;
  }
  void check() {
    made.drain(p.queue);
    while (goroutine* const g = all.global.pop()) made.take(g);
    made.check_all_taken_once();
  }
};

// Who takes it uses it at once.
template <class Worker>
void evicted_body() {
  auto const s = std::make_unique<scene<Worker>>(4);
  bool taken = false;
  thread("hog", [&] {
    s->make_ready(s->hog, 0);
    s->make_ready(s->hog, 1);
  });
  thread("monitor", [&] {
    for (int i = 2; i < 4; ++i) {
      if (!taken) taken = s->hog.evict(s->p);
      if (taken) {
        use(s->p, s->made.prepared(i));
        s->made.take(s->p.queue.take());
      } else {
        s->give_to_all(i);
      }
    }
  });
  join();
  s->hog.enter();
  MODEL_CHECK(taken == (s->hog.held == nullptr));
  s->check();
}

// It goes to another worker, which lets it go; the evicted one may get it again, and lose it again.
template <class Worker>
void comes_back_body() {
  auto const s = std::make_unique<scene<Worker>>(3);
  thread("hog", [&] {
    s->make_ready(s->hog, 0);
    s->take_idle(s->hog);
    s->make_ready(s->hog, 1);
  });
  thread("monitor", [&] {
    for (int i = 0; i < 2; ++i) {
      if (s->hog.evict(s->p)) s->put_idle(s->p);
    }
  });
  thread("heir", [&] {
    s->take_idle(s->heir);
    s->make_ready(s->heir, 2);
    s->let_go(s->heir);
  });
  join();
  s->hog.enter();
  MODEL_CHECK((s->hog.held == &s->p) != (s->all.idle == &s->p));
  MODEL_CHECK(s->heir.held == nullptr);
  s->check();
}

}  // namespace

model_case const evicted_by_exchange{"eviction, by a read-modify-write at each entry",
                                     {.preemptions = 3},
                                     evicted_body<by_exchange>};
model_case const evicted_by_barrier{
    "eviction, by membarrier", {.preemptions = 3}, evicted_body<by_barrier>};
model_case const evicted_by_exchange_comes_back{
    "eviction, by a read-modify-write, and back", {.preemptions = 2}, comes_back_body<by_exchange>};
model_case const evicted_by_barrier_comes_back{
    "eviction, by membarrier, and back", {.preemptions = 2}, comes_back_body<by_barrier>};

}  // namespace vole::model::cases
