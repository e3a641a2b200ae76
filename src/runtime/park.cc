// SPDX-License-Identifier: Apache-2.0
// Parking. Invariants: vole/internal/park.h.

#include "vole/internal/park.h"

#include "vole/assert.h"

#include "base/futex.h"
#include "runtime/bubble.h"
#include "runtime/contention.h"
#include "runtime/scheduler.h"
#include "runtime/timer.h"

namespace vole::internal {

bool netpoll_collect(goroutine* g) noexcept;

// What the scheduler does with a ticket.
struct park_access {
  struct held_by {
    park_ticket::held_lock lock;
    goroutine& g;
  };

  static void after_park(worker&, void* arg) {
    auto& ticket = *static_cast<park_ticket*>(arg);
    goroutine* const g = ticket.goroutine_;
    bubble* const in = g->bubble == nullptr ? nullptr : begin_durable_wait(*g);
    // pairs with park.cc:park_ticket::finish: one of the two sees the other's bit
    std::uint32_t const before = ticket.word_.fetch_or(park_ticket::parked, memory_order_acq_rel);
    bool const finished = (before & park_ticket::finished) != 0;
    if (in != nullptr) [[unlikely]] {
      // From here on g is ours only when it is finished.
      if (finished) g->bubble_blocked = false;
      finished ? in->not_blocked() : in->blocked();
    }
    if (finished) the_scheduler().ready(g);
  }

  static void after_park_holding(worker&, void* at) {
    auto const held = *static_cast<held_by*>(at);  // on the waiter's stack, which is gone with it
    bubble* const in = held.g.bubble == nullptr ? nullptr : begin_durable_wait(held.g);
    held.lock.release(held.lock.arg);
    if (in != nullptr) [[unlikely]]
      in->blocked();
  }

  // How long the wait of g took that it has come out of just now, by the coarse clock.
  static duration waited(goroutine const& g) noexcept {
    return the_scheduler().coarse_now().time_since_epoch() -
           duration(g.since.load(memory_order_relaxed));
  }

  // The bubble when g begins a wait that its bubble must know of, else null.
  static bubble* begin_durable_wait(goroutine& g) noexcept {
    if (!bubble::durable(g.why.load(memory_order_relaxed))) return nullptr;
    g.bubble_blocked = true;
    g.bubble->blocking();
    return g.bubble;
  }
};

char const* to_text(wait_reason why) noexcept {
  switch (why) {
    case wait_reason::none:
      return "waiting";
    case wait_reason::chan_receive:
      return "chan receive";
    case wait_reason::chan_receive_nil:
      return "chan receive (nil chan)";
    case wait_reason::chan_send:
      return "chan send";
    case wait_reason::chan_send_nil:
      return "chan send (nil chan)";
    case wait_reason::select:
      return "select";
    case wait_reason::select_no_cases:
      return "select (no cases)";
    case wait_reason::sleep:
      return "sleep";
    case wait_reason::io_wait:
      return "IO wait";
    case wait_reason::pipe_wait:
      return "pipe wait";
    case wait_reason::mutex_lock:
      return "sync.Mutex.Lock";
    case wait_reason::rw_mutex_rlock:
      return "sync.RWMutex.RLock";
    case wait_reason::rw_mutex_lock:
      return "sync.RWMutex.Lock";
    case wait_reason::cond_wait:
      return "sync.Cond.Wait";
    case wait_reason::wait_group_wait:
      return "sync.WaitGroup.Wait";
    case wait_reason::semaphore_acquire:
      return "semacquire";
    case wait_reason::once_wait:
      return "sync.Once.Do";
    case wait_reason::pool_wait:
      return "pool wait";
    case wait_reason::task_wait:
      return "task wait";
    case wait_reason::main_wait:
      return "main wait";
    case wait_reason::bubble_wait:
      return "synctest.Wait";
    case wait_reason::bubble_driver:
      return "synctest.Test";
  }
  return "waiting";
}

// --- park_ticket
// ---------------------------------------------------------------------------------------

park_ticket::park_ticket() noexcept : goroutine_(current_goroutine()) {}

void park_ticket::finish() noexcept {
  goroutine* const g = goroutine_;
  // A goroutine that is parked already needs no word from us. pairs with park.cc:after_park
  if (g == nullptr || (word_.load(memory_order_acquire) & parked) == 0) {
    // pairs with park.cc:after_park and park.cc:park_thread
    std::uint32_t const before = word_.fetch_or(finished, memory_order_acq_rel);
    if ((before & parked) == 0) return;  // the waiter has yet to look
  }
  wake(g);
}

void park_ticket::wake(goroutine* g) noexcept {
  if (g == nullptr) {
    futex_wake(word_, 1);  // by address only: the waiter may be gone already
    return;
  }
  if (g->bubble_blocked) [[unlikely]] {
    g->bubble_blocked = false;
    g->bubble->readied();
  }
  if (!netpoll_collect(g)) the_scheduler().ready(g);
}

void park_ticket::park_holding(wait_reason why, held_lock& lock) noexcept {
  if (goroutine_ == nullptr) {
    lock.release(lock.arg);
    contention::wait_sample const sample(why);
    park_thread();
    sample.end(__builtin_return_address(0), duration::zero());
    return;
  }
  contention::wait_sample const sample(why);
  mark_parked(why);
  park_access::held_by held{lock, *goroutine_};
  the_scheduler().switch_away(*goroutine_, &park_access::after_park_holding, &held);
  sample.end(__builtin_return_address(0), park_access::waited(*goroutine_));
}

void park_ticket::wake_parked() noexcept {
  goroutine* const g = goroutine_;
  // pairs with park.cc:park_thread; a goroutine's word is read by its owner alone
  if (g == nullptr && (word_.fetch_or(finished, memory_order_acq_rel) & parked) == 0) return;
  wake(g);
}

void park_ticket::mark_parked(wait_reason why) noexcept {
  goroutine& g = *goroutine_;
  g.why.store(why, memory_order_relaxed);
  g.since.store(the_scheduler().coarse_now().time_since_epoch().count(), memory_order_relaxed);
  g.state.store(goroutine_state::parked, memory_order_relaxed);
}

wake_reason park_ticket::park_unlimited(wait_reason why) noexcept {
  // pairs with park.cc:park_ticket::finish
  if ((word_.load(memory_order_acquire) & finished) == 0) {
    contention::wait_sample const sample(why);
    duration waited{};
    if (goroutine_ == nullptr) {
      park_thread();
    } else {
      mark_parked(why);
      the_scheduler().switch_away(*goroutine_, &park_access::after_park, this);
      waited = park_access::waited(*goroutine_);
    }
    sample.end(__builtin_return_address(0), waited);
  }
  // pairs with park.cc:park_ticket::finish: what the waker wrote before it is visible
  return static_cast<wake_reason>(word_.load(memory_order_acquire) & claim_mask);
}

void park_ticket::park_thread() noexcept {
  the_scheduler().refuse_if_forked();
  the_scheduler().thread_waits();
  // pairs with park.cc:park_ticket::finish
  std::uint32_t word = word_.fetch_or(parked, memory_order_acq_rel) | parked;
  while ((word & finished) == 0) {
    futex_wait(word_, word);
    word = word_.load(memory_order_acquire);  // pairs with park.cc:park_ticket::finish
  }
}

namespace {

struct deadline_timer : timer_node {
  explicit deadline_timer(park_ticket& t) noexcept : ticket(t) {
    fire = [](timer_node* node, time_point) noexcept {
      park_ticket& waiter = static_cast<deadline_timer*>(node)->ticket;
      if (waiter.try_claim(wake_reason::deadline)) waiter.finish();
      return never;
    };
  }
  park_ticket& ticket;
};

}  // namespace

wake_reason park_ticket::park_limited(wait_reason why, park_limit const& limit) noexcept {
  cancel_registration registration;
  if (limit.cancel != nullptr && !registration.add(*limit.cancel, *this)) {
    if (try_claim(wake_reason::canceled)) return wake_reason::canceled;
    return park_unlimited(why);  // some waker was faster
  }
  wake_reason reason = wake_reason::none;
  if (limit.deadline == never) {
    reason = park_unlimited(why);
  } else {
    deadline_timer timer(*this);
    timer_add(timer, limit.deadline);
    reason = park_unlimited(why);
    timer_delete(timer);
  }
  registration.remove();
  return reason;
}

// --- cancel_source
// -------------------------------------------------------------------------------------

// No lock: nobody waits under it any more, and whoever fires it holds its owner.
cancel_source::~cancel_source() VOLE_NO_THREAD_SAFETY_ANALYSIS {
  VOLE_ASSERT(first_ == nullptr, "a cancel source ends while a goroutine waits under it");
}

void cancel_source::fire() noexcept {
  raw_lock const lock(mu_);
  // pairs with park.h:canceled
  if (fired_.exchange(true, memory_order_acq_rel)) return;
  while (cancel_registration* const r = first_) {
    first_ = r->next_;
    r->link_ = nullptr;
    // Before the lock is let go: afterwards the ticket may be gone.
    if (r->ticket_->try_claim(wake_reason::canceled)) r->ticket_->finish();
  }
}

bool cancel_registration::add(cancel_source& source, park_ticket& ticket) noexcept {
  source.ensure_watched();
  raw_lock const lock(source.mu_);
  if (source.fired_.load(memory_order_relaxed)) return false;
  source_ = &source;
  ticket_ = &ticket;
  next_ = source.first_;
  if (next_ != nullptr) next_->link_ = &next_;
  link_ = &source.first_;
  source.first_ = this;
  return true;
}

void cancel_registration::remove() noexcept {
  if (source_ == nullptr) return;
  raw_lock const lock(source_->mu_);
  if (link_ == nullptr) return;
  *link_ = next_;
  if (next_ != nullptr) next_->link_ = link_;
  link_ = nullptr;
}

}  // namespace vole::internal
