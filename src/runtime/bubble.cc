// SPDX-License-Identifier: Apache-2.0
// Invariants: bubble.h.
#include "runtime/bubble.h"

#include <utility>

#include "vole/assert.h"
#include "vole/go.h"

#include "runtime/goroutine.h"
#include "runtime/scheduler.h"

namespace vole::internal {
namespace {

constexpr std::size_t main_stack_bytes = std::size_t{1} << 20;

time_point caller_time() noexcept {
  goroutine const* const g = current_goroutine();
  return g == nullptr || g->bubble == nullptr ? monotonic_now() : g->bubble->now();
}

// The driver is in its bubble while it starts goroutines and fires timers.
struct inside {
  inside(goroutine& self, bubble* b) noexcept : g(self) { g.bubble = b; }
  ~inside() { g.bubble = nullptr; }
  goroutine& g;
};

constinit raw_mutex spare_mu;

}  // namespace

constinit bubble* bubble::spare_ = nullptr;

bubble::bubble() {
  timers_.leave_to_bubble();
  // pairs with clock.h:now
  bubble_clock.store(&caller_time, memory_order_release);
}

bubble* bubble::begin() {
  bubble* b = nullptr;
  {
    raw_lock const lock(spare_mu);
    b = spare_;
    if (b != nullptr) spare_ = b->next_spare_;
  }
  if (b == nullptr) b = new bubble;
  b->refs_.store(1, memory_order_relaxed);
  // The machine's time: a deadline made outside lies as far off as it does there.
  b->clock_.store(monotonic_now().time_since_epoch().count(), memory_order_relaxed);
  raw_lock const lock(b->mu_);
  b->main_ended_ = false;
  return b;
}

bool bubble::durable(wait_reason why) noexcept {
  switch (why) {
    case wait_reason::chan_receive:
    case wait_reason::chan_receive_nil:
    case wait_reason::chan_send:
    case wait_reason::chan_send_nil:
    case wait_reason::select:
    case wait_reason::select_no_cases:
    case wait_reason::sleep:
    case wait_reason::pipe_wait:
    case wait_reason::cond_wait:
    case wait_reason::wait_group_wait:
    case wait_reason::semaphore_acquire:
    case wait_reason::task_wait:
    case wait_reason::bubble_wait:
      return true;
    default:
      return false;
  }
}

void bubble::run(void (*invoke)(void*), void* arg) {
  goroutine* const self = current_goroutine();
  VOLE_REQUIRE(self != nullptr, "synctest::test() outside of a goroutine");
  VOLE_REQUIRE(self->bubble == nullptr, "synctest::test() inside of a bubble");
  auto* const made = begin();
  {
    inside const in(*self, made);
    go({.stack_bytes = main_stack_bytes}, [made, invoke, arg] {
      invoke(arg);
      raw_lock const lock(made->mu_);
      made->main_ended_ = true;
    });
  }
  made->drive(*self);
  // What is still armed goes by the machine's clock from now on.
  if (time_point const next = made->timers_.next_when(); next != never) {
    made->timers_.move_to(the_scheduler().timers_for_caller());
    the_scheduler().timer_changed(next);
  }
  made->release();
}

void bubble::drive(goroutine& self) {
  while (wait_until_idle()) {
    park_ticket* waiter = nullptr;
    {
      raw_lock const lock(mu_);
      waiter = std::exchange(waiter_, nullptr);
    }
    if (waiter != nullptr) {
      if (waiter->try_claim()) waiter->finish();
      continue;
    }
    time_point const next = timers_.next_when();
    if (next == never) panic_deadlock();
    if (next > now()) clock_.store(next.time_since_epoch().count(), memory_order_relaxed);
    inside const in(self, this);
    timers_.run(now());
  }
}

// False: there is nobody left.
bool bubble::wait_until_idle() {
  while (true) {
    park_ticket ticket;
    {
      raw_lock const lock(mu_);
      if (running_ == 0) return alive_ != 0;
      driver_ = &ticket;
    }
    ticket.park(wait_reason::bubble_driver);
  }
}

void bubble::stopped_running() noexcept {
  if (--running_ != 0 || driver_ == nullptr) return;
  park_ticket* const driver = std::exchange(driver_, nullptr);
  if (driver->try_claim()) driver->finish();
}

void bubble::wait() {
  goroutine const* const self = current_goroutine();
  bubble* const in = self == nullptr ? nullptr : self->bubble;
  VOLE_REQUIRE(in != nullptr, "synctest::wait() outside of synctest::test()");
  park_ticket ticket;
  {
    raw_lock const lock(in->mu_);
    VOLE_REQUIRE(in->waiter_ == nullptr, "two goroutines of a bubble are in synctest::wait()");
    in->waiter_ = &ticket;
  }
  ticket.park(wait_reason::bubble_wait);
}

void bubble::started() noexcept {
  refs_.fetch_add(1, memory_order_relaxed);
  raw_lock const lock(mu_);
  ++running_;
  ++alive_;
}

void bubble::ended() noexcept {
  {
    raw_lock const lock(mu_);
    --alive_;
    stopped_running();
  }
  release();
}

void bubble::blocking() noexcept {
  refs_.fetch_add(1, memory_order_relaxed);
}

void bubble::blocked() noexcept {
  {
    raw_lock const lock(mu_);
    stopped_running();
  }
  release();
}

void bubble::readied() noexcept {
  raw_lock const lock(mu_);
  ++running_;
}

void bubble::panic_deadlock() {
  bool main_ended = false;
  {
    raw_lock const lock(mu_);
    main_ended = main_ended_;
  }
  panic(main_ended
            ? "synctest: the main goroutine of the bubble has ended and the others wait for ever"
            : "synctest: all goroutines of the bubble wait for ever");
}

void bubble::release() noexcept {
  // pairs with itself: the last one sees what the others did before they let go
  if (refs_.fetch_sub(1, memory_order_acq_rel) != 1) return;
  // Not freed: who stops a timer from outside may have read just before that it is in this heap.
  raw_lock const lock(spare_mu);
  next_spare_ = spare_;
  spare_ = this;
}

}  // namespace vole::internal
