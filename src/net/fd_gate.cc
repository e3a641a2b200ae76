// SPDX-License-Identifier: Apache-2.0
// fd_gate.h says what holds here.

#include "net/fd_gate.h"

#include "vole/assert.h"

namespace vole::internal {

fd_gate::entry fd_gate::enter(side s, park_limit const& limit) {
  std::uint32_t word = word_.load(memory_order_relaxed);
  while ((word & (shut_bit | turn(s))) == 0) {
    // pairs with fd_gate.cc:leave of the one before, whose fields this side goes on with
    if (word_.compare_exchange_weak(word, (word | turn(s)) + one_inside, memory_order_acquire,
                                    memory_order_relaxed)) {
      return entry::entered;
    }
  }
  if ((word & shut_bit) != 0) return entry::shut;
  return enter_slow(s, limit);
}

bool fd_gate::leave(side s) {
  std::uint32_t word = word_.load(memory_order_relaxed);
  for (;;) {
    if ((word & queued(s)) != 0) return leave_slow(s);
    std::uint32_t const next = (word & ~turn(s)) - one_inside;
    // pairs with fd_gate.cc:enter of the next one, and with leave of the one who closes
    if (word_.compare_exchange_weak(word, next, memory_order_acq_rel, memory_order_relaxed)) {
      return last_out(next);
    }
  }
}

bool fd_gate::enter_beside() {
  std::uint32_t word = word_.load(memory_order_relaxed);
  while ((word & shut_bit) == 0) {
    // pairs with fd_gate.cc:leave_beside and leave
    if (word_.compare_exchange_weak(word, word + one_inside, memory_order_acquire,
                                    memory_order_relaxed)) {
      return true;
    }
  }
  return false;
}

bool fd_gate::leave_beside() {
  // pairs with fd_gate.cc:leave and leave_beside of the one who closes
  return last_out(word_.fetch_sub(one_inside, memory_order_acq_rel) - one_inside);
}

bool fd_gate::queue_up(side s, waiter& w) {
  std::uint32_t word = word_.load(memory_order_relaxed);
  for (;;) {
    if ((word & shut_bit) != 0) {
      w.outcome = entry::shut;
      return false;
    }
    bool const is_free = (word & turn(s)) == 0;
    std::uint32_t const next = is_free ? (word | turn(s)) + one_inside : word | queued(s);
    // pairs with fd_gate.cc:leave
    if (word_.compare_exchange_weak(word, next, memory_order_acquire, memory_order_relaxed)) {
      if (is_free) return false;
      queues_[index(s)].push_back(w);
      return true;
    }
  }
}

fd_gate::entry fd_gate::enter_slow(side s, park_limit const& limit) {
  waiter me;
  {
    raw_lock const lock(mu_);
    if (!queue_up(s, me)) return me.outcome;
  }
  wake_reason const reason = me.ticket.park(wait_reason::io_wait, limit);
  if (reason == wake_reason::ready) return me.outcome;
  raw_lock const lock(mu_);
  queues_[index(s)].remove(me);
  if (queues_[index(s)].empty()) word_.fetch_and(~queued(s), memory_order_relaxed);
  return reason == wake_reason::deadline ? entry::deadline : entry::canceled;
}

bool fd_gate::leave_slow(side s) {
  raw_lock const lock(mu_);
  waiter* const next = queues_[index(s)].pop_claimed();
  if (queues_[index(s)].empty()) word_.fetch_and(~queued(s), memory_order_relaxed);
  if (next != nullptr) {
    next->ticket.finish();  // the turn and the place inside are the next one's now
    return false;
  }
  // Nobody can queue up while mu_ is held, so the bit stays clear.
  // pairs with fd_gate.cc:enter of the next one, and with leave of the one who closes
  std::uint32_t const left = turn(s) + one_inside;
  return last_out(word_.fetch_sub(left, memory_order_acq_rel) - left);
}

bool fd_gate::shut() {
  std::uint32_t word = word_.load(memory_order_relaxed);
  do {
    if ((word & shut_bit) != 0) return false;
    // pairs with fd_gate.h:is_shut and with enter, which fails from now on
  } while (!word_.compare_exchange_weak(word, (word | shut_bit) + one_inside, memory_order_acq_rel,
                                        memory_order_relaxed));
  raw_lock const lock(mu_);
  for (side const s : {side::read, side::write}) {
    while (waiter* const w = queues_[index(s)].pop_claimed()) {
      w->outcome = entry::shut;
      w->ticket.finish();
    }
    word_.fetch_and(~queued(s), memory_order_relaxed);
  }
  return true;
}

}  // namespace vole::internal
