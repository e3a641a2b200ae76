// SPDX-License-Identifier: Apache-2.0
#pragma once
// Time as Go's package time: sleep, after, timers and tickers over the monotonic clock.
//
// A timer's channel behaves as since Go 1.23: it looks unbuffered, and once stop() or reset() has
// returned no value of an earlier setting can be received. A timer in whose channel nobody waits
// costs its memory and nothing else, and one that nobody holds any more (neither it nor its
// channel) is gone, so after() in a loop leaks nothing.

#include <memory>
#include <type_traits>
#include <utility>

#include "vole/chan.h"
#include "vole/internal/clock.h"
#include "vole/internal/park.h"

namespace vole {

namespace internal {

class func_timer_state;

// A function object of forgotten type.
struct timer_callback {
  virtual ~timer_callback() = default;
  virtual void run() = 0;
};
template <class Fn>
struct typed_timer_callback final : timer_callback {
  template <class F>
  explicit typed_timer_callback(F&& f) : fn(std::forward<F>(f)) {}
  void run() override { fn(); }
  Fn fn;
};
std::shared_ptr<func_timer_state> start_func_timer(duration d,
                                                   std::unique_ptr<timer_callback> callback);

// sleep_until parks for d or until the limit: ready (d is over), deadline or canceled.
wake_reason sleep_until(duration d, park_limit const& limit);

}  // namespace internal

namespace time {

using vole::duration;
using vole::time_point;

// now reads the monotonic clock; wall-clock time is std::chrono::system_clock's.
inline time_point now() noexcept {
  return internal::now();
}
inline duration since(time_point t) noexcept {
  return now() - t;
}
inline duration until(time_point t) noexcept {
  return internal::left_until(t, now());
}

// sleep parks the goroutine for at least d; zero or less returns at once.
// Blocks:  the goroutine, never its worker; a plain thread sleeps.   Cancels: no; use
// time::sleep(ctx, d).
void sleep(duration d);

// timer sends the time on its channel once, d after it was made or last reset.
// Safety:  any goroutine or thread; copies share the timer.          Cost: 1 allocation when made.
// Source:  Go time.Timer. Differs: nothing.
class timer {
 public:
  explicit timer(duration d);

  // c is the channel the time is sent on.
  recv_chan<time_point> const& c() const noexcept { return c_; }

  // stop disarms; false: it was not armed, having been stopped or its value received. c() is empty
  // then.
  bool stop() const;
  // reset arms it anew to fire after d; what stop() would have returned.
  bool reset(duration d) const;

 private:
  recv_chan<time_point> c_;
};

// ticker sends the time on its channel every period; a tick that nobody has taken when the next one
// comes is dropped.
// Safety:  as timer.   Source: Go time.Ticker. Differs: nothing.   Panics: the period is not
// positive.
class ticker {
 public:
  explicit ticker(duration period);

  recv_chan<time_point> const& c() const noexcept { return c_; }

  // stop ends the ticks; it does not close the channel.
  void stop() const;
  // reset starts anew with another period.
  void reset(duration period) const;

 private:
  recv_chan<time_point> c_;
};

// tick is the channel of a new ticker, for one that runs as long as somebody holds the channel; nil
// when the period is not positive.
recv_chan<time_point> tick(duration period);

// after is the channel of a new timer: recv(time::after(1s)) as a case of a select.
recv_chan<time_point> after(duration d);

// func_timer runs its function in a goroutine of its own when it fires; copies share it. Made by
// after_func.
// It stays armed when the handle goes. Source: Go time.AfterFunc. Differs: nothing.
class func_timer {
 public:
  explicit func_timer(std::shared_ptr<internal::func_timer_state> state)
      : state_(std::move(state)) {}

  // stop disarms; false: it has fired (the function may be running) or was stopped before.
  bool stop() const;
  // reset arms it anew; false: it was not armed.
  bool reset(duration d) const;

 private:
  std::shared_ptr<internal::func_timer_state> state_;
};

// after_func runs fn in a goroutine of its own after d.
// Safety:  fn may run again, also at the same time, if the timer is reset after it has fired.
template <class Fn>
func_timer after_func(duration d, Fn&& fn) {
  using callback = internal::typed_timer_callback<std::decay_t<Fn>>;
  return func_timer(
      internal::start_func_timer(d, std::make_unique<callback>(std::forward<Fn>(fn))));
}

}  // namespace time
}  // namespace vole
