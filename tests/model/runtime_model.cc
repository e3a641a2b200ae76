// SPDX-License-Identifier: Apache-2.0
// What stands below the code under test in a model build: the scheduler's ready
// and switch_away, the futex, the clock, the choices at random, panics. The
// rest is the product's own.
//
// A goroutine that switches away leaves what is to be done after it to its
// worker, which is a thread of its own here: it does that while the goroutine
// may run again already, elsewhere.

#include <ctime>

#include "vole/assert.h"
#include "vole/internal/chan_core.h"
#include "vole/internal/spin.h"
#include "vole/internal/unlock_sample.h"
#include "vole/runtime.h"

#include "base/futex.h"
#include "base/rand.h"
#include "cases.h"
#include "explorer.h"
#include "runtime/asymmetric.h"
#include "runtime/bubble.h"
#include "runtime/contention.h"
#include "runtime/scheduler.h"
#include "runtime/timer.h"

// A case does the same each time it is run: the clock is the explorer's.
std::chrono::steady_clock::time_point std::chrono::steady_clock::now() noexcept {
  if (vole::model::running()) return time_point(std::chrono::nanoseconds(vole::model::clock_ns()));
  timespec t{};
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return time_point(std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec));
}

namespace vole {

void panic(std::string_view message) {
  model::fail("panic: " + std::string(message));
}

int runtime::max_procs() noexcept {
  return 1;
}

namespace internal {

bool spinning_pays() noexcept {
  return false;  // spinning changes when a mutex queues, not how
}

void assert_failed(char const* kind, char const* condition, char const* file, int line,
                   std::string const& message) {
  model::fail(fmt::format("{}: {} {} at {}:{}", kind, condition, message, file, line));
}

// --- futex

namespace {

template <class T>
bool wait_on(atomic<T>& word, T expected, time_point deadline) noexcept {
  return model::sleep_on({&word, static_cast<std::uint64_t>(expected), sizeof(T)},
                         static_cast<std::uint64_t>(expected), deadline != never,
                         std::source_location::current());
}

}  // namespace

bool futex_wait(atomic<int>& word, int expected, time_point deadline) noexcept {
  return wait_on(word, expected, deadline);
}
bool futex_wait(atomic<std::uint32_t>& word, std::uint32_t expected, time_point deadline) noexcept {
  return wait_on(word, expected, deadline);
}
void futex_wake(atomic<int>& word, int count) noexcept {
  model::wake(&word, count, std::source_location::current());
}
void futex_wake(atomic<std::uint32_t>& word, int count) noexcept {
  model::wake(&word, count, std::source_location::current());
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

std::uint32_t contention::wait_sample::choose_wait(time_point*) noexcept {
  return 0;
}
void contention::wait_sample::record_wait(time_point, std::uint32_t, duration,
                                          void const*) noexcept {}
void unlock_sample::charge_to(void const*) const noexcept {}

// --- timers

namespace {
constinit timer_heap* heap_of_all = nullptr;
}

timer_heap& scheduler::timers_for_caller() noexcept {
  return *heap_of_all;
}
void scheduler::timer_changed(time_point) noexcept {}

// --- membarrier

bool membarrier_registered() noexcept {
  return true;
}
void slow_barrier() noexcept {
  model::barrier();
}

// --- what no case reaches: bubbles, and timers' channels

bool bubble::durable(wait_reason) noexcept {
  return false;
}
void bubble::blocking() noexcept {
  model::fail("a bubble in a model");
}
void bubble::blocked() noexcept {
  model::fail("a bubble in a model");
}
void bubble::release() noexcept {
  model::fail("a bubble in a model");
}
void bubble::readied() noexcept {
  model::fail("a bubble in a model");
}
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
