// SPDX-License-Identifier: Apache-2.0
// Timers with a channel, timers with a function, sleep; over the runtime's timer heaps.
//
// INVARIANTS
//   - A timer_chan has no buffer: its value is there when armed_ is set and when_ has come, and is
//   made by who looks (take_due). So a timer in whose channel nobody waits costs no heap, and
//   nothing of an earlier setting can be received after stop or reset.
//   - holders_ counts those who wait or are about to. While there are any, node_ is in a heap if
//   armed_ is set and nobody could have seen the value yet: fire() hands it to the first who waits.
//   A ticker's node stays in the heap then whatever fire() found.
//   - node_ is added and deleted under mu_ only; the last holder deletes it. So a timer_chan that
//   has no handle left is in no heap.
//   - An armed func_timer_state holds itself.
// LOCKS  timer_chan::mu_ and func_timer_state::mu_ are above the timer heap's lock, which is above
//        the channel's lock_, which guards the setting. fire() takes neither of the first two.
// REJECTED  A buffer of one that the timer heap fills, waited for or not: making and stopping a
//           timer then costs two passes through the heap and its lock.
// Source: Go time/sleep.go, time/tick.go and runtime/time.go since 1.23.

#include "vole/time.h"

#include <algorithm>

#include "vole/assert.h"
#include "vole/go.h"
#include "vole/runtime.h"

#include "runtime/timer.h"

namespace vole {
namespace internal {

class timer_chan : public chan_core {
 public:
  static recv_chan<time_point> make(duration first, duration period) {
    return recv_chan<time_point>(chan_handle(new timer_chan(due_after(first), period)));
  }
  static timer_chan& of(recv_chan<time_point> const& c) {
    return *static_cast<timer_chan*>(chan_access::core(c));
  }

  // Both return whether a value was still to come, or to be had, under the old setting.
  bool stop() { return set(false, never, duration::zero()); }
  bool reset(duration first, duration period) { return set(true, due_after(first), period); }

  bool take_due(void* slot) noexcept VOLE_REQUIRES_LOCK(lock_) {
    if (!armed_) return false;
    time_point const t = internal::now();
    if (t < when_) return false;
    ::new (slot) time_point(when_);
    advance(t);
    return true;
  }

  void begin_hold() noexcept {
    raw_lock const lock(mu_);
    lock_.lock();
    bool const arm = holders_++ == 0 && armed_;
    time_point const when = when_;
    lock_.unlock();
    if (arm) timer_add(node_, when);
  }
  void end_hold() noexcept {
    raw_lock const lock(mu_);
    lock_.lock();
    bool const last = --holders_ == 0;
    lock_.unlock();
    if (last) timer_delete(node_);
  }

 private:
  struct channel_node : timer_node {
    timer_chan* owner = nullptr;
  };

  timer_chan(time_point when, duration period)
      : chan_core(
            element_ops_of<time_point>, 0, nullptr,
            [](chan_core* core) { delete static_cast<timer_chan*>(core); }, true),
        when_(when),
        period_(period) {
    node_.owner = this;
    node_.fire = [](timer_node* node, time_point now) {
      return static_cast<channel_node*>(node)->owner->fire(now);
    };
  }
  ~timer_chan() = default;

  static time_point due_after(duration d) { return deadline_after(std::max(d, duration::zero())); }

  bool set(bool armed, time_point when, duration period) {
    bool held = false;
    bool const was_armed = put(armed, when, period, true, &held);
    if (!held) return was_armed;
    raw_lock const lock(mu_);
    timer_delete(node_);
    bool const was = put(armed, when, period, false, &held);
    if (held && armed) timer_add(node_, when);
    return was;
  }

  // Stores a setting; if it must be unheld, only then. Returns whether the old one was armed.
  bool put(bool armed, time_point when, duration period, bool unheld, bool* held) {
    lock_.lock();
    *held = holders_ != 0;
    bool const was_armed = armed_;
    if (!unheld || !*held) {
      armed_ = armed;
      when_ = when;
      period_ = period;
    }
    lock_.unlock();
    return was_armed;
  }

  // The value of when_ is taken at t.
  void advance(time_point t) noexcept VOLE_REQUIRES_LOCK(lock_) {
    if (period_ == duration::zero()) {
      armed_ = false;
    } else {
      when_ = next_tick(t);
    }
  }
  // The first multiple after t: ticks that were missed are dropped.
  time_point next_tick(time_point t) const noexcept VOLE_REQUIRES_LOCK(lock_) {
    return when_ + period_ * (1 + (t - when_) / period_);
  }

  time_point fire(time_point t) noexcept {
    lock_.lock();
    if (!armed_ || t < when_) {  // somebody has looked before
      time_point const again = armed_ ? when_ : never;
      lock_.unlock();
      return again;
    }
    time_point const due = when_;
    time_point const again = period_ == duration::zero() ? never : next_tick(t);
    chan_waiter* const w = receivers_.pop_claimed();
    if (w != nullptr) advance(t);
    lock_.unlock();
    if (w != nullptr) {
      ::new (w->slot) time_point(due);
      w->finish(true);
    }
    return again;
  }

  bool armed_ VOLE_GUARDED_BY(lock_) = true;
  std::uint32_t holders_ VOLE_GUARDED_BY(lock_) = 0;
  time_point when_ VOLE_GUARDED_BY(lock_);
  duration period_ VOLE_GUARDED_BY(lock_);  // 0: once
  raw_mutex mu_;
  channel_node node_;
};

bool chan_core::take_due(void* slot) noexcept VOLE_NO_THREAD_SAFETY_ANALYSIS {
  return static_cast<timer_chan*>(this)->take_due(slot);
}
void timer_hold::begin_timer(chan_core& core) noexcept {
  static_cast<timer_chan&>(core).begin_hold();
}
void timer_hold::end_timer(chan_core& core) noexcept {
  static_cast<timer_chan&>(core).end_hold();
}

chan_outcome chan_core::recv_parked_on_timer(std::optional<time_point>& to, park_limit const& limit)
    VOLE_NO_THREAD_SAFETY_ANALYSIS {
  lock_.unlock();
  timer_hold const hold(*this);
  lock_.lock();
  time_point* const slot = std::addressof(to.emplace());
  if (take_due(slot)) {
    lock_.unlock();
    return chan_outcome::ok;
  }
  chan_outcome const outcome = park(wait_reason::chan_receive, slot, limit);
  if (outcome != chan_outcome::ok) to.reset();
  return outcome;
}

class func_timer_state {
 public:
  explicit func_timer_state(std::unique_ptr<timer_callback> callback)
      : callback_(std::move(callback)), scheduling_(runtime::scheduling()) {
    node_.owner = this;
    node_.fire = [](timer_node* node, time_point) {
      // The reference goes along: the goroutine may be the last to hold the state.
      auto self = std::move(static_cast<func_node&>(*node).owner->while_armed_);
      spawn_options const as_its_maker{.scheduling = self->scheduling_};
      go(as_its_maker, [self = std::move(self)] { self->callback_->run(); });
      return never;
    };
  }
  ~func_timer_state() { timer_delete(node_); }  // waits for the end of fire()
  func_timer_state(func_timer_state const&) = delete;
  func_timer_state& operator=(func_timer_state const&) = delete;

  static bool reset(std::shared_ptr<func_timer_state> const& self, duration d) {
    time_point const when = deadline_after(d);
    if (timer_move(self->node_, when)) return true;
    raw_lock const lock(self->mu_);
    if (timer_move(self->node_, when)) return true;
    self->while_armed_ = self;
    timer_add(self->node_, when);
    return false;
  }
  bool stop() {
    raw_lock const lock(mu_);
    bool const was_armed = timer_delete(node_);
    while_armed_.reset();  // not the last one: the caller has another
    return was_armed;
  }

 private:
  struct func_node : timer_node {
    func_timer_state* owner = nullptr;
  };

  std::unique_ptr<timer_callback> const callback_;
  scheduling_class const scheduling_;  // of who made it
  raw_mutex mu_;
  func_node node_;
  // Set while the node is armed. Touched under mu_ while it is not, and by fire().
  std::shared_ptr<func_timer_state> while_armed_;
};

std::shared_ptr<func_timer_state> start_func_timer(duration d,
                                                   std::unique_ptr<timer_callback> callback) {
  auto state = std::make_shared<func_timer_state>(std::move(callback));
  func_timer_state::reset(state, d);
  return state;
}

wake_reason sleep_until(duration d, park_limit const& limit) {
  if (d <= duration::zero()) return wake_reason::ready;
  time_point const wake = deadline_after(d);
  park_ticket ticket;
  wake_reason const reason =
      ticket.park(wait_reason::sleep, {std::min(wake, limit.deadline), limit.cancel});
  if (reason == wake_reason::deadline && wake <= limit.deadline) return wake_reason::ready;
  return reason;
}

}  // namespace internal

namespace time {

void sleep(duration d) {
  static_cast<void>(internal::sleep_until(d, {}));
}

timer::timer(duration d) : c_(internal::timer_chan::make(d, duration::zero())) {}
bool timer::stop() const {
  return internal::timer_chan::of(c_).stop();
}
bool timer::reset(duration d) const {
  return internal::timer_chan::of(c_).reset(d, duration::zero());
}

namespace {

duration checked_period(duration period) {
  VOLE_REQUIRE(period > duration::zero(), "the period of a ticker is {} ns", period.count());
  return period;
}

}  // namespace

ticker::ticker(duration period) : c_(internal::timer_chan::make(checked_period(period), period)) {}
void ticker::stop() const {
  internal::timer_chan::of(c_).stop();
}
void ticker::reset(duration period) const {
  internal::timer_chan::of(c_).reset(checked_period(period), period);
}

recv_chan<time_point> tick(duration period) {
  if (period <= duration::zero()) return {};
  return internal::timer_chan::make(period, period);
}

recv_chan<time_point> after(duration d) {
  return internal::timer_chan::make(d, duration::zero());
}

bool func_timer::stop() const {
  return state_->stop();
}
bool func_timer::reset(duration d) const {
  return internal::func_timer_state::reset(state_, d);
}

}  // namespace time
}  // namespace vole
