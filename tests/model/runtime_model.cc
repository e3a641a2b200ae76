// SPDX-License-Identifier: Apache-2.0
// What stands for the scheduler where it is not what is looked at: ready and switch_away, and the
// choices at random. Below it: machine_model.cc. The rest is the product's own.
//
// A goroutine that switches away leaves what is to be done after it to its
// worker, which is a thread of its own here: it does that while the goroutine
// may run again already, elsewhere.

#include "vole/internal/chan_core.h"
#include "vole/internal/spin.h"
#include "vole/internal/unlock_sample.h"
#include "vole/runtime.h"

#include "base/rand.h"
#include "cases.h"
#include "explorer.h"
#include "runtime/pressure.h"
#include "runtime/scheduler.h"
#include "runtime/timer.h"

namespace vole {

int runtime::max_procs() noexcept {
  return 1;
}

namespace internal {

bool spinning_pays() noexcept {
  return false;  // spinning changes when a mutex queues, not how
}

// --- random choices are explored, a bit of them at a time

std::uint64_t fast_rand() noexcept {
  return static_cast<std::uint64_t>(model::choose(2)) << 31;
}

// --- goroutines

constinit immortal<scheduler> scheduler_instance;

namespace {

struct identity {
  goroutine g;
  worker w;
};

// Of the calling thread; null when that is a plain one.
identity* own_identity() {
  int const me = model::current_thread();
  if (!model::running() || !model::is_goroutine(me)) return nullptr;
  void*& at = model::user(me);
  if (at == nullptr) {
    auto* const own = new identity;
    own->g.slot = static_cast<std::size_t>(me);
    own->w.index = static_cast<std::uint32_t>(me);
    at = own;
  }
  return static_cast<identity*>(at);
}

}  // namespace

goroutine* current_goroutine() noexcept {
  identity* const own = own_identity();
  return own == nullptr ? nullptr : &own->g;
}
// A goroutine keeps its worker: nothing under test may depend on another.
worker* current_worker() noexcept {
  identity* const own = own_identity();
  return own == nullptr ? nullptr : &own->w;
}

void scheduler::switch_away(goroutine& self, void (*after)(worker&, void*), void* arg) noexcept {
  model::touch(&self.context, sizeof self.context, true);
  alignas(worker) static char nobody[sizeof(worker)];
  model::start_thread(
      "worker",
      [](void* fn, void* at) {
        reinterpret_cast<void (*)(worker&, void*)>(fn)(*reinterpret_cast<worker*>(nobody), at);
      },
      reinterpret_cast<void*>(after), arg, false);
  model::suspend();
  model::touch(&self.context, sizeof self.context, false);
}

void scheduler::ready(goroutine* g) noexcept {
  model::touch(&g->context, sizeof g->context, false);
  model::touch(&g->next, sizeof g->next, true);
  model::resume(static_cast<int>(g->slot));
}

bool netpoll_collect(goroutine*) noexcept {
  return false;
}

void unlock_sample::charge_to(void const*) const noexcept {}

// --- timers

namespace {
constinit timer_heap* heap_of_all = nullptr;
}

timer_heap& scheduler::timers_for_caller() noexcept {
  return *heap_of_all;
}
void scheduler::timer_changed(time_point) noexcept {}
void scheduler::let_on_if_exiting() noexcept {
  model::fail("the process ends in a model");
}

// --- memory pressure: there is none

reclaimer::reclaimer(void* owner, collect_fn collect) noexcept : owner_(owner), collect_(collect) {}
reclaimer::~reclaimer() = default;

// --- what no case reaches: timers' channels

bool chan_core::take_due(void*) noexcept {
  model::fail("a timer in a model");
}
chan_outcome chan_core::recv_parked_on_timer(std::optional<time_point>&, park_limit const&) {
  model::fail("a timer in a model");
}
void timer_hold::begin_timer(chan_core&) noexcept {
  model::fail("a timer in a model");
}
void timer_hold::end_timer(chan_core&) noexcept {
  model::fail("a timer in a model");
}
}  // namespace internal
}  // namespace vole

namespace vole::model {

void use_timers(internal::timer_heap& heap) noexcept {
  internal::heap_of_all = &heap;
}

}  // namespace vole::model
