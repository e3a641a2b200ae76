// SPDX-License-Identifier: Apache-2.0
#pragma once
// The one way to wait: a ticket that its owner parks on and exactly one waker claims and finishes.
//
// A wait episode, for a channel receive:
//   waiter: lock the queue, find nothing, link {&ticket, &slot} into it, unlock, ticket.park(...)
//   waker:  lock the queue, take a waiter out; if ticket.try_claim(): move the value into the slot,
//   ticket.finish(); unlock
// Deadline timer and cancel source race with the waker through try_claim; one wins, the others
// leave the ticket alone.
//
// INVARIANTS
//   word_ goes 0 -> claimed(reason) -> +finished; +parked is added once by the waiter, before or
//   after. Never back.
//   Whoever adds the second of {finished, parked} makes the waiter runnable; a waiter that sees
//   finished first never switches.
//   A goroutine's word in which parked and a claim are set is written by nobody any more until the
//   owner resets it.
//   A waker touches the ticket only while its owner cannot have returned: under the queue's lock
//   before the claim,
//   until finish() after it. finish() is its last access.
//   A waiter that ends by deadline or cancel is still linked in its queues and must unlink itself
//   under their locks.
// LOCKS  none of its own; cancel_source::mu_ is above every queue lock taken in finish() (scheduler
//        locks only).

#include <cstdint>

#include "vole/internal/annotations.h"
#include "vole/internal/atomic.h"
#include "vole/internal/clock.h"
#include "vole/internal/raw_mutex.h"

namespace vole::internal {

struct goroutine;
class cancel_registration;

enum class wake_reason : std::uint8_t { none, ready, deadline, canceled };

// wait_reason says in dumps and profiles why a goroutine is parked.
enum class wait_reason : std::uint8_t {
  none,
  chan_receive,
  chan_receive_nil,
  chan_send,
  chan_send_nil,
  select,
  select_no_cases,
  sleep,
  io_wait,
  pipe_wait,
  mutex_lock,
  rw_mutex_rlock,
  rw_mutex_lock,
  cond_wait,
  wait_group_wait,
  semaphore_acquire,
  once_wait,
  pool_wait,
  task_wait,
  main_wait,
  bubble_wait,
  bubble_driver,
};

// to_text(wait_reason::chan_receive) is "chan receive".
char const* to_text(wait_reason why) noexcept;

// cancel_source ends every park registered on it; a context owns one. It knows no error.
// Safety: any thread. Memory: 24 bytes, nothing allocated.
class cancel_source {
 public:
  // Called before the first wait or question, perhaps by several at once, and not again once
  // set_watched() was: an owner need not know before then whether it is to be canceled.
  using watch_function = void (*)(cancel_source&) noexcept;

  explicit cancel_source(watch_function watch = nullptr) noexcept : watch_(watch) {}
  ~cancel_source();
  cancel_source(cancel_source const&) = delete;
  cancel_source& operator=(cancel_source const&) = delete;

  bool canceled() noexcept {
    ensure_watched();
    return fired_.load(memory_order_acquire);  // pairs with park.cc:cancel_source::fire
  }

  // fire wakes all that wait, now and later, with wake_reason::canceled. Idempotent. Cost:
  // O(waiters).
  void fire() noexcept;

 protected:
  // pairs with park.h:ensure_watched
  void set_watched() noexcept { watched_.store(true, memory_order_release); }

  raw_mutex mu_;  // an owner may guard its own with it; not held over fire()

 private:
  friend class cancel_registration;

  void ensure_watched() noexcept {
    // pairs with park.h:set_watched
    if (watch_ != nullptr && !watched_.load(memory_order_acquire)) watch_(*this);
  }

  atomic<bool> fired_{false};
  atomic<bool> watched_{false};
  watch_function const watch_;
  cancel_registration* first_ VOLE_GUARDED_BY(mu_) = nullptr;
};

// park_limit bounds a wait; a context converts to one. The default waits for ever.
struct park_limit {
  time_point deadline = never;
  cancel_source* cancel = nullptr;

  bool unlimited() const noexcept { return deadline == never && cancel == nullptr; }
};

// park_ticket is one wait of one goroutine or of one plain thread. It lives on the waiter's stack.
class park_ticket {
 public:
  park_ticket() noexcept;  // binds the calling goroutine, or the calling thread where there is none
  ~park_ticket() = default;
  park_ticket(park_ticket const&) = delete;
  park_ticket& operator=(park_ticket const&) = delete;

  // try_claim wins the right to end the wait. True: the caller must call finish() exactly once.
  // Safety: any thread that knows the ticket to be alive, as a rule under the lock of the queue it
  // is linked in.
  bool try_claim(wake_reason reason = wake_reason::ready) noexcept {
    std::uint32_t word = word_.load(memory_order_relaxed);
    while ((word & claim_mask) == 0) {
      // pairs with park.cc:park_ticket::park, which reads what was written before the claim
      if (word_.compare_exchange_weak(word, word | static_cast<std::uint32_t>(reason),
                                      memory_order_acq_rel, memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }

  // claimed tells whether some waker has won already; a hint unless the caller holds the queue's
  // lock.
  bool claimed() const noexcept { return (word_.load(memory_order_relaxed) & claim_mask) != 0; }

  // finish lets the waiter run. The ticket may be gone before it returns.
  void finish() noexcept;

  // park waits, holding no lock, until some waker has claimed and finished, the deadline passes, or
  // the cancel
  // source fires, and says which. Blocks: the goroutine, never its worker; a plain thread sleeps in
  // a futex.
  wake_reason park(wait_reason why, park_limit const& limit = {}) noexcept {
    if (limit.unlimited()) return park_unlimited(why);
    return park_limited(why, limit);
  }

  // park_holding parks without a limit and gives the lock of the queue back only when the waiter is
  // parked. Whoever
  // then finds the ticket under that lock is the only one who can end the wait, and says so by
  // wake_parked() instead of
  // try_claim() and finish(): no read-modify-write on either side. The lock object lives in the
  // caller's frame.
  // A plain thread gives the lock back first and then sleeps.
  struct held_lock {
    void (*release)(void*);
    void* arg;
  };
  void park_holding(wait_reason why, held_lock& lock) noexcept;
  void wake_parked() noexcept;

  // reset makes the ticket ready for another wait. Only by its owner, when no queue knows it.
  void reset() noexcept { word_.store(0, memory_order_relaxed); }

 private:
  friend struct park_access;

  enum : std::uint32_t { claim_mask = 3, finished = 4, parked = 8 };

  wake_reason park_unlimited(wait_reason why) noexcept;
  wake_reason park_limited(wait_reason why, park_limit const& limit) noexcept;
  void park_thread() noexcept;
  void mark_parked(wait_reason why) noexcept;
  void wake(goroutine* g) noexcept;

  atomic<std::uint32_t> word_{0};
  goroutine* goroutine_;  // null: a plain thread
};

// cancel_registration links one ticket into a cancel source for the time of one wait.
class cancel_registration {
 public:
  // False: the source has fired already and will not call.
  [[nodiscard]] bool add(cancel_source& source, park_ticket& ticket) noexcept;
  // After remove the source touches neither this nor the ticket. No effect when not linked.
  void remove() noexcept;

 private:
  friend class cancel_source;

  cancel_source* source_ = nullptr;
  park_ticket* ticket_ = nullptr;
  cancel_registration* next_ = nullptr;
  cancel_registration** link_ = nullptr;  // what points at this; null: not linked
};

}  // namespace vole::internal
