// SPDX-License-Identifier: Apache-2.0
// select: a look without locks finds most ready cases; else all channels are locked, and parked in.
//
// INVARIANTS
//   - A case is carried out under its channel's lock only while no waiter of this select is linked
//   anywhere, or by the
//     waker that has claimed this select's ticket. So two selects that face each other claim one
//     ticket, never two.
//   - With an otherwise(), "none can proceed" is decided while all channels are locked.
// LOCKS    the channels' locks, in order of address, each once.
// Source:  Go runtime/select.go. Differs: the first pass; waiters are unlinked one channel at a
// time.

#include "vole/select.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "vole/assert.h"

#include "base/rand.h"

namespace vole {
namespace internal {

struct select_access {
  static chan_lock& lock_of(select_case const& c) noexcept { return c.core->lock_; }

  // proceed carries the case out if that can be done now. The caller holds the channel's lock,
  // gives it back, and then
  // finishes *woken, if there is one.
  static bool proceed(select_case& c, chan_waiter** woken) VOLE_NO_THREAD_SAFETY_ANALYSIS {
    return c.kind == case_kind::recv ? proceed_recv(c, woken) : proceed_send(c, woken);
  }

  static void link(select_case& c, chan_waiter& w) VOLE_NO_THREAD_SAFETY_ANALYSIS {
    c.waiter = &w;
    list_of(c).push_back(w);
  }

  static void unlink(select_case& c) {
    c.core->lock_.lock();
    list_of(c).remove(*c.waiter);
    c.core->lock_.unlock();
  }

 private:
  static waiter_list<chan_waiter>& list_of(select_case& c) noexcept {
    return c.kind == case_kind::recv ? c.core->receivers_ : c.core->senders_;
  }

  static bool proceed_send(select_case& c, chan_waiter** woken) VOLE_NO_THREAD_SAFETY_ANALYSIS {
    chan_core& core = *c.core;
    if (core.closed_.load(memory_order_relaxed)) core.panic_send_on_closed();
    if (!core.receivers_.empty() && (*woken = core.receivers_.pop_claimed()) != nullptr) {
      core.ops_->move_element((*woken)->slot, c.slot);
      return true;
    }
    std::size_t const count = core.count_.load(memory_order_relaxed);
    if (count == core.capacity_) return false;
    core.ops_->move_element(core.slot_at(core.tail(count)), c.slot);
    core.set_count(count + 1);
    return true;
  }

  static bool proceed_recv(select_case& c, chan_waiter** woken) VOLE_NO_THREAD_SAFETY_ANALYSIS {
    chan_core& core = *c.core;
    std::size_t const count = core.count_.load(memory_order_relaxed);
    if (count != 0) {
      void* const slot = core.slot_at(core.head_);
      core.ops_->move_element(c.slot, slot);
      core.ops_->destroy_element(slot);
      core.head_ = core.after(core.head_);
      if (!core.senders_.empty() && (*woken = core.senders_.pop_claimed()) != nullptr) {
        core.ops_->move_element(slot, (*woken)->slot);  // the slot just emptied is the new tail
      } else {
        core.set_count(count - 1);
      }
      c.received = true;
      return true;
    }
    if (!core.senders_.empty() && (*woken = core.senders_.pop_claimed()) != nullptr) {
      core.ops_->move_element(c.slot, (*woken)->slot);
      c.received = true;
      return true;
    }
    if (core.is_timer_) return c.received = core.take_due(c.slot);
    return core.closed_.load(memory_order_relaxed);
  }
};

// timers_held holds the timers among the cases of a select that is about to park.
class timers_held {
 public:
  explicit timers_held(std::span<select_case* const> cases) noexcept : cases_(cases) {
    for (select_case* const c : cases_) timer_hold::begin(*c->core);
  }
  ~timers_held() {
    for (select_case* const c : cases_) timer_hold::end(*c->core);
  }
  timers_held(timers_held const&) = delete;
  timers_held& operator=(timers_held const&) = delete;

 private:
  std::span<select_case* const> const cases_;
};

namespace {

void lock_all(std::span<select_case* const> by_address) VOLE_NO_THREAD_SAFETY_ANALYSIS {
  chan_core const* last = nullptr;
  for (select_case* const c : by_address) {
    if (c->core != last) select_access::lock_of(*c).lock();
    last = c->core;
  }
}

void unlock_all(std::span<select_case* const> by_address) VOLE_NO_THREAD_SAFETY_ANALYSIS {
  for (std::size_t i = by_address.size(); i-- > 0;) {
    // The first one of each channel stands for its lock.
    if (i == 0 || by_address[i - 1]->core != by_address[i]->core) {
      select_access::lock_of(*by_address[i]).unlock();
    }
  }
}

// Takes out nil channels and the otherwise(); returns how many are left.
std::size_t drop_idle(std::span<select_case*> cases, int* otherwise_index) {
  std::size_t n = 0;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    select_case* const c = cases[i];
    c->index = static_cast<int>(i);
    c->received = false;
    if (c->core != nullptr) {
      cases[n++] = c;
    } else if (c->kind == case_kind::otherwise) {
      *otherwise_index = c->index;
    }
  }
  return n;
}

// Puts those that look ready in front; returns how many they are.
std::size_t ready_first(std::span<select_case*> cases) {
  std::size_t n = 0;
  for (select_case*& c : cases) {
    if (c->looks_ready()) std::swap(cases[n++], c);
  }
  return n;
}

// Draws one of the first n, each equally likely, and puts it behind the others.
select_case* draw(std::span<select_case*> cases, std::size_t n) {
  if (n > 1) std::swap(cases[fast_rand_below(static_cast<std::uint32_t>(n))], cases[n - 1]);
  return cases[n - 1];
}

// Tries those that look ready, one lock at a time.
select_case* try_one_by_one(std::span<select_case*> cases) VOLE_NO_THREAD_SAFETY_ANALYSIS {
  for (std::size_t n = ready_first(cases); n > 0; --n) {
    select_case* const c = draw(cases, n);
    chan_waiter* woken = nullptr;
    select_access::lock_of(*c).lock();
    bool const done = select_access::proceed(*c, &woken);
    select_access::lock_of(*c).unlock();
    if (woken != nullptr) woken->finish(true);
    if (done) return c;
  }
  return nullptr;
}

// Tries those that are ready while all channels are locked.
select_case* try_locked(std::span<select_case*> cases, chan_waiter** woken) {
  for (std::size_t n = ready_first(cases); n > 0; --n) {
    select_case* const c = draw(cases, n);
    if (select_access::proceed(*c, woken)) return c;
  }
  return nullptr;
}

// Cases of one channel wait in its queue in a random order: among what becomes ready later each is
// as likely, too.
void shuffle_within_channels(std::span<select_case*> by_address) {
  std::size_t first = 0;
  for (std::size_t i = 1; i < by_address.size(); ++i) {
    if (by_address[i]->core != by_address[first]->core) {
      first = i;
      continue;
    }
    auto const within = static_cast<std::uint32_t>(i - first + 1);
    std::swap(by_address[i], by_address[first + fast_rand_below(within)]);
  }
}

// Parks in the queues of all channels, which are locked; returns the case that was taken, or null
// when the limit came.
select_case* park_in_all(std::span<select_case* const> by_address, void* waiters,
                         park_limit const& limit, wake_reason* reason) {
  chan_episode episode;
  auto* at = static_cast<std::byte*>(waiters);
  for (select_case* const c : by_address) {
    select_access::link(*c, *::new (at) chan_waiter{.episode = &episode, .slot = c->slot});
    at += sizeof(chan_waiter);
  }
  unlock_all(by_address);
  *reason = episode.ticket.park(wait_reason::select, limit);
  select_case* taken = nullptr;
  for (select_case* const c : by_address) {
    if (*reason == wake_reason::ready && c->waiter == episode.fired) {
      taken = c;  // whoever claimed it has taken it out of its queue
    } else {
      select_access::unlink(*c);
    }
  }
  if (taken != nullptr) taken->received = taken->waiter->delivered;
  return taken;
}

}  // namespace

int select_run(std::span<select_case*> all, select_case** by_address_first, void* waiters,
               park_limit const& limit) {
  int otherwise_index = -1;
  std::span<select_case*> const cases = all.first(drop_idle(all, &otherwise_index));
  if (cases.empty()) {
    if (otherwise_index >= 0) return otherwise_index;
    chan_outcome const outcome = park_on_nil(wait_reason::select_no_cases, limit);
    return outcome == chan_outcome::canceled ? select_canceled : select_deadline;
  }
  if (select_case* const c = try_one_by_one(cases)) return c->index;
  // a look at one channel is a look at all
  if (cases.size() == 1 && otherwise_index >= 0) return otherwise_index;

  std::span<select_case*> const by_address(by_address_first, cases.size());
  std::copy(cases.begin(), cases.end(), by_address.begin());
  std::sort(by_address.begin(), by_address.end(), [](select_case const* a, select_case const* b) {
    return std::less<>()(a->core, b->core);
  });
  timers_held const held(otherwise_index < 0 ? by_address : std::span<select_case*>());
  lock_all(by_address);
  chan_waiter* woken = nullptr;
  select_case const* taken = try_locked(cases, &woken);
  if (taken != nullptr || otherwise_index >= 0) {
    unlock_all(by_address);
    if (woken != nullptr) woken->finish(true);
    return taken != nullptr ? taken->index : otherwise_index;
  }
  shuffle_within_channels(by_address);
  wake_reason reason = wake_reason::none;
  taken = park_in_all(by_address, waiters, limit, &reason);
  if (taken == nullptr) {
    return reason == wake_reason::canceled ? select_canceled : select_deadline;
  }
  if (taken->kind == case_kind::send && !taken->waiter->delivered) panic("send on closed channel");
  return taken->index;
}

}  // namespace internal

void select() {
  internal::park_for_ever(internal::wait_reason::select_no_cases);
}

}  // namespace vole
