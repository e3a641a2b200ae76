// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a case of the scheduler begins and ends with.

#include <chrono>
#include <initializer_list>

#include "vole/internal/clock.h"

#include "runtime/scheduler.h"
#include "runtime/timer.h"
#include "scheduler_model.h"

namespace vole::model {

// stage is a scheduler with some goroutines that each hold a worker until let_go: what they and
// others do from then on is explored. One that does nothing more ends there, so that its worker
// gives its processor up.
class stage {
 public:
  stage(int processors, std::initializer_list<char const*> that_end) : processors_(processors) {
    begin_scheduler(processors);
    for (char const* called : that_end) {
      run(called, [this] { hold(); });
    }
  }

  // run starts a goroutine that calls hold().
  template <class Fn>
  void run(char const* called, Fn fn) {
    latch held(1);
    held_ = &held;
    spawn(called, std::move(fn));
    held.wait();
  }
  void hold() {
    held_->arrive();
    go_on_.wait();
  }

  void let_go() {
    hold_choices(false);
    go_on_.arrive();
  }
  // rest has them end, unexplored, and waits until their workers sleep.
  void rest() {
    go_on_.arrive();
    settle();
  }

  // check_in_time: nobody had to wait for a timer that was to fire later.
  void check_in_time() const { MODEL_CHECK(internal::monotonic_now() == begun_); }

  // end waits until the workers sleep. Then nothing is left over, and what comes next runs, too.
  void end() { end_with(processors_); }
  void end_with(int processors) {
    join();
    settle();
    hold_choices(true);
    runtime::stats const now = internal::the_scheduler().stats();
    MODEL_CHECK(now.threads_spinning == 0);
    MODEL_CHECK(now.processors_idle == static_cast<std::size_t>(processors));
    MODEL_CHECK(now.runnable == 0);
    begun_ = internal::monotonic_now();
    latch ran(1);
    spawn("one more", [&] {
      check_in_time();
      ran.arrive();
    });
    ran.wait();
  }

 private:
  int const processors_;
  time_point begun_ = internal::monotonic_now();
  latch go_on_{1};
  latch* held_ = nullptr;
};

// alarm_timer fires when its time has come and not later.
struct alarm_timer : internal::timer_node {
  explicit alarm_timer(duration at) : due(at) {
    fire = [](internal::timer_node* node, time_point now) {
      auto& self = *static_cast<alarm_timer*>(node);
      MODEL_CHECK(now == self.due);
      self.fired.arrive();
      return never;
    };
  }
  ~alarm_timer() { stop(); }

  void arm() { timer_add(*this, due); }
  bool stop() { return timer_delete(*this); }

  time_point const due;
  latch fired{1};
};

}  // namespace vole::model
