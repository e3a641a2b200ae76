// SPDX-License-Identifier: Apache-2.0
// Timers with a channel, timers with a function, sleep; over the runtime's timer heaps.
//
// INVARIANTS
//   - A timer_chan is a channel of capacity 1 that says it has none; only its node's fire() sends
//   on it.
//   - stop and reset disarm the node, which waits for a running fire(), and then empty the buffer:
//   what is received
//     later was sent later. mu_ makes the two steps one for other callers.
//   - The node holds no reference to its timer_chan: the last handle disarms it. An armed
//   func_timer_state holds itself.
// LOCKS  timer_chan::mu_ and func_timer_state::mu_ are above the timer heap's lock, which is above
//        the channel's.
//        fire() takes neither of the first two.
// Source: Go time/sleep.go, time/tick.go and runtime/time.go since 1.23.

#include "vole/time.h"

#include "vole/assert.h"
#include "vole/go.h"

#include "runtime/timer.h"

namespace vole {
namespace internal {

class timer_chan : public chan_core {
 public:
  static recv_chan<time_point> make(duration first, duration period) {
    auto* const c = new timer_chan(period);
    timer_add(c->node_, deadline_after(first));
    return recv_chan<time_point>(chan_handle(c));
  }
  static timer_chan& of(recv_chan<time_point> const& c) {
    return *static_cast<timer_chan*>(chan_access::core(c));
  }

  bool stop() {
    raw_lock const lock(mu_);
    return disarm();
  }
  bool reset(duration first, duration period) {
    raw_lock const lock(mu_);
    bool const was_armed = disarm();
    node_.period = period;
    timer_add(node_, deadline_after(first));
    return was_armed;
  }

 private:
  struct channel_node : timer_node {
    timer_chan* owner = nullptr;
    duration period{0};  // 0: once. Changed only while disarmed
  };

  explicit timer_chan(duration period)
      : chan_core(element_ops_of<time_point>, 1, buffer_of_one_, &dispose, true) {
    node_.owner = this;
    node_.period = period;
    node_.fire = [](timer_node* node, time_point now) {
      auto& self = static_cast<channel_node&>(*node);
      self.owner->try_send(now);
      if (self.period == duration::zero()) return never;
      // The next multiple after now: ticks that were missed are dropped.
      return self.when + self.period * (1 + (now - self.when) / self.period);
    };
  }
  ~timer_chan() = default;

  static void dispose(chan_core* core) {
    auto* const self = static_cast<timer_chan*>(core);
    timer_delete(self->node_);
    delete self;
  }

  bool disarm() VOLE_REQUIRES_LOCK(mu_) {
    bool const was_armed = timer_delete(node_);
    std::optional<time_point> stale;
    try_recv(stale);
    return was_armed || stale.has_value();
  }

  raw_mutex mu_;
  channel_node node_;
  alignas(time_point) std::byte buffer_of_one_[sizeof(time_point)];
};

class func_timer_state {
 public:
  explicit func_timer_state(std::unique_ptr<timer_callback> callback)
      : callback_(std::move(callback)) {
    node_.owner = this;
    node_.fire = [](timer_node* node, time_point) {
      // The reference goes along: the goroutine may be the last to hold the state.
      go([self = std::move(static_cast<func_node&>(*node).owner->while_armed_)] {
        self->callback_->run();
      });
      return never;
    };
  }
  ~func_timer_state() { timer_delete(node_); }  // waits for the end of fire()
  func_timer_state(func_timer_state const&) = delete;
  func_timer_state& operator=(func_timer_state const&) = delete;

  static bool reset(std::shared_ptr<func_timer_state> const& self, duration d) {
    raw_lock const lock(self->mu_);
    bool const was_armed = timer_delete(self->node_);
    self->while_armed_ = self;
    timer_add(self->node_, deadline_after(d));
    return was_armed;
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
