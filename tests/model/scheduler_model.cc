// SPDX-License-Identifier: Apache-2.0
// What stands below the scheduler in a model build: threads, the environment, stacks, signals.
// Workers are threads of the explorer, goroutines run on stacks of their own there, and the
// switches are the product's.

#include "scheduler_model.h"

#include <cstring>
#include <new>
#include <string>

#include "vole/internal/unlock_sample.h"

#include "base/rand.h"
#include "runtime/bubble.h"
#include "runtime/dump.h"
#include "runtime/env.h"
#include "runtime/escaped.h"
#include "runtime/exit_hold.h"
#include "runtime/fork_locks.h"
#include "runtime/goroutine_local.h"
#include "runtime/labels.h"
#include "runtime/monitor.h"
#include "runtime/netpoll.h"
#include "runtime/sample.h"
#include "runtime/scheduler.h"
#include "runtime/signal.h"
#include "runtime/thread_stack.h"

namespace vole::internal {
void goroutine_main(void* arg);
}

namespace vole::model {
namespace {

using internal::goroutine;
using internal::netpoller;
using internal::scheduler;

int processors_wanted = 1;
int outsiders_now = 1;
unsigned workers_made = 0;
latch* report_expected = nullptr;

// What is not atomic in the objects that the process has one of is put back as it was: an
// execution begins with a scheduler that was never started. The tables at its end are atomics.
constexpr std::size_t tables_bytes =
    (scheduler::processors_max + scheduler::workers_max) * sizeof(internal::atomic<void*>);

struct first_state {
  char of_scheduler[sizeof(scheduler) - tables_bytes];
  char of_netpoller[sizeof(netpoller)];

  first_state() noexcept {
    std::memcpy(of_scheduler, address(internal::the_scheduler()), sizeof of_scheduler);
    std::memcpy(of_netpoller, address(internal::the_netpoller()), sizeof of_netpoller);
  }
  void put_back() const noexcept {
    std::memcpy(address(internal::the_scheduler()), of_scheduler, sizeof of_scheduler);
    std::memcpy(address(internal::the_netpoller()), of_netpoller, sizeof of_netpoller);
  }
  template <class T>
  static void* address(T& object) noexcept {
    return &object;
  }
};
first_state const at_first;

}  // namespace

void begin_scheduler(int processors) {
  hold_choices(true);
  at_first.put_back();
  reset_kernel();
  processors_wanted = processors;
  outsiders_now = 1;
  workers_made = 0;
  report_expected = nullptr;
  scheduler& s = internal::the_scheduler();
  name(s, "scheduler");
  name(internal::the_netpoller(), "netpoller");
  s.start();
}

void spawn_untyped(char const* called, void (*invoke)(void*), void* closure) {
  goroutine_memory& at = memory_for_goroutine();
  auto* const g = new (at.block) goroutine;
  name(at.stack, sizeof at.stack, called);
  name(*g, called);
  g->invoke = invoke;
  g->closure = closure;
  g->stack_low = at.stack;
  g->stack_high = at.stack + goroutine_memory::stack_bytes;
  g->size_class = internal::stack_class_default;
  g->context.sp = internal::fiber_prepare(g->stack_high, &internal::goroutine_main, g);
  internal::the_scheduler().spawned(g);
}

void expect_deadlock(latch& reported) noexcept {
  report_expected = &reported;
}
void outsiders(int count) noexcept {
  outsiders_now = count;
}

}  // namespace vole::model

namespace vole {

std::string runtime::dump_goroutines() {
  if (model::report_expected == nullptr) model::fail("a deadlock is reported where there is none");
  model::report_expected->arrive();
  model::suspend();  // the process would be gone
  return {};
}

namespace internal {

// --- the environment

int processors_from_environment() noexcept {
  return model::processors_wanted;
}
std::uint64_t seed_from_environment() noexcept {
  return 0;
}
unsigned threads_from_environment(unsigned otherwise, unsigned) noexcept {
  return otherwise;
}
// Workers, the monitor, the thread in run(), and those the case speaks of.
unsigned threads_in_process() noexcept {
  return model::workers_made + 2 + static_cast<unsigned>(model::outsiders_now);
}
void bound_malloc_arenas(int) noexcept {}

std::uint64_t fast_rand() noexcept {
  return 0;  // where a thief begins to look
}
void seed_fast_rand(std::uint64_t) noexcept {}

// --- threads

int start_thread(void* (*main)(void*), void* arg) noexcept {
  ++model::workers_made;
  model::service(
      "worker", [](void* fn, void* at) { reinterpret_cast<void* (*)(void*)>(fn)(at); },
      reinterpret_cast<void*>(main), arg);
  return 0;
}
void install_signal_handlers() noexcept {}
void prepare_thread_for_signals() noexcept {}
void report_termination() noexcept {}
void install_stack_host() noexcept {}
void guard_forks() noexcept {}
void hold_at_exit() noexcept {}
void sample::thread_started() noexcept {}
std::size_t sample::threads_unarmed() noexcept {
  return 0;
}
void write_all(int, std::string_view) noexcept {}
void report_no_thread(unsigned, unsigned) noexcept {
  model::fail("no thread to be had in a model");
}

void monitor::start() noexcept {}
void monitor::wake_if_asleep() noexcept {}

// --- stacks: each goroutine of a case has one of its own, and keeps it

goroutine* stack_pool::take(int, std::errc*) noexcept {
  model::fail("a stack is taken in a model");
}
goroutine* stack_pool::take_pooled(int, std::size_t) noexcept {
  model::fail("stacks are taken in a model");
}
void stack_pool::give_many(int, goroutine*) noexcept {}
void stack_pool::note_depth(goroutine const&) noexcept {}
stack_counters stack_pool::counters() noexcept {
  return {};
}

// --- what no case reaches

void scheduler::wait_while_held() noexcept {
  model::fail("the process ends in a model");
}
void scheduler::let_on() noexcept {
  model::fail("the process ends in a model");
}
void scheduler::let_on_if_exiting() noexcept {
  model::fail("the process ends in a model");
}
void run_hooked(goroutine&) {
  model::fail("an exception hook in a model");
}
void destroy_locals(goroutine&) noexcept {
  model::fail("locals in a model");
}
void bubble::ended() noexcept {
  model::fail("a bubble in a model");
}
void labels::release(set*) noexcept {
  model::fail("labels in a model");
}
void labels::put(goroutine&, set*) noexcept {
  model::fail("labels in a model");
}

}  // namespace internal
}  // namespace vole
