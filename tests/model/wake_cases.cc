// SPDX-License-Identifier: Apache-2.0
// The wake protocol (scheduler.cc): one adds work, arms a timer or opens a descriptor while another
// gives its processor up. All that was added runs, timers fire in time, nothing is left.
//
// Each case makes its workers first, by a way that is not explored. No monitor looks: nothing here
// may need it.

#include "vole/internal/clock.h"

#include "place.h"
#include "runtime/netpoller.h"
#include "scheduler_cases.h"
#include "scheduler_stage.h"

namespace vole::model::cases {
namespace {

using internal::poll_handle;
using internal::poll_mode;
using internal::poll_result;

void plain_adds_body(int processors) {
  stage s(processors, {"first"});
  latch ran(1);
  thread("adder", [&] { spawn("second", [&] { ran.arrive(); }); });
  s.let_go();
  ran.wait();
  s.end();
}
void plain_adds_two_body() {
  plain_adds_body(2);
}
void plain_adds_one_body() {
  plain_adds_body(1);
}

// The worker goes to sleep for a timer that is far off.
void plain_adds_before_epoll_body() {
  stage s(2, {"first"});
  alarm_timer later(std::chrono::hours(3));
  later.arm();
  latch ran(1);
  thread("adder", [&] {
    spawn("second", [&] {
      s.check_in_time();
      ran.arrive();
    });
  });
  s.let_go();
  ran.wait();
  s.end();
}

void two_add(stage& s) {
  latch ran(2);
  hold_choices(false);
  auto const added = [&] {
    s.check_in_time();
    ran.arrive();
  };
  thread("adder", [&] { spawn("one", added); });
  thread("other", [&] { spawn("two", added); });
  ran.wait();
  s.end();
}

// Both workers sleep on their words.
void two_add_at_rest_body() {
  stage s(2, {"first", "second"});
  s.rest();
  two_add(s);
}

// The one worker that there is sleeps in epoll.
void two_add_to_who_polls_body() {
  stage s(2, {"first"});
  alarm_timer later(std::chrono::hours(3));
  later.arm();
  s.rest();
  two_add(s);
}

// What lies in a ring has its owner, whoever else finds it or not.
void worker_fills_its_ring_body() {
  stage s(2, {"other"});
  latch ran(2);
  s.run("owner", [&] {
    s.hold();
    spawn("ring", [&] { ran.arrive(); });
    spawn("next", [&] { ran.arrive(); });
  });
  s.let_go();
  ran.wait();
  s.end();
}

// Where orderings are not weak, another worker finds it.
void ring_is_stolen_body() {
  stage s(2, {"other"});
  latch stolen(1);
  latch ran(2);
  s.run("owner", [&] {
    s.hold();
    spawn("ring", [&] { stolen.arrive(); });
    spawn("next", [&] { ran.arrive(); });
    stolen.wait();
    ran.arrive();
  });
  s.let_go();
  ran.wait();
  s.end();
}

// One that the monitor has found stuck stays so until what it has begun has happened.
void stuck_makes_ready_body() {
  stage s(2, {"other"});
  latch begins(1);
  latch ran(1);
  s.run("hog", [&] {
    s.hold();
    begins.wait();
    mark_stuck(*internal::current_worker()->held);
    spawn("next", [&] { ran.arrive(); });
    ran.wait();
  });
  s.rest();
  hold_choices(false);
  begins.arrive();
  ran.wait();
  s.end();
}

void stuck_arms_body() {
  stage s(2, {"other"});
  alarm_timer soon(std::chrono::hours(2));
  s.run("hog", [&] {
    s.hold();
    mark_stuck(*internal::current_worker()->held);
    soon.arm();
    soon.fired.wait();
  });
  s.let_go();
  soon.fired.wait();
  s.end();
}

void plain_arms_body(int processors) {
  stage s(processors, {"first"});
  alarm_timer soon(std::chrono::hours(2));
  thread("armer", [&] { soon.arm(); });
  s.let_go();
  soon.fired.wait();
  s.end();
}
void plain_arms_two_body() {
  plain_arms_body(2);
}
void plain_arms_one_body() {
  plain_arms_body(1);
}

// A worker goes to sleep in epoll for a timer, another one is armed that is due before.
void plain_arms_earlier_body() {
  stage s(2, {"first"});
  alarm_timer later(std::chrono::hours(3));
  alarm_timer sooner(std::chrono::hours(2));
  later.arm();
  thread("armer", [&] { sooner.arm(); });
  s.let_go();
  sooner.fired.wait();
  later.fired.wait();
  s.end();
}

// As before, by a worker that goes to sleep as well.
void worker_arms_earlier_body() {
  stage s(2, {"first"});
  alarm_timer later(std::chrono::hours(3));
  alarm_timer sooner(std::chrono::hours(2));
  later.arm();
  s.run("armer", [&] {
    s.hold();
    sooner.arm();
  });
  s.let_go();
  sooner.fired.wait();
  later.fired.wait();
  s.end();
}

// What is to be read was there before anybody polled.
void plain_opens_body() {
  stage s(2, {"first"});
  thread("reader", [&] {
    int const fd = open_file();
    make_readable(fd);
    poll_handle* handle = nullptr;
    MODEL_CHECK(poll_handle::open(fd, &handle) == 0);
    MODEL_CHECK(handle->wait(poll_mode::read) == poll_result::ready);
    handle->close();
  });
  s.let_go();
  join();
  s.end();
}

void descriptor_becomes_ready_body() {
  stage s(2, {});
  latch waits(1);
  latch ran(1);
  int fd = 0;
  s.run("reader", [&] {
    fd = open_file();
    poll_handle* handle = nullptr;
    MODEL_CHECK(poll_handle::open(fd, &handle) == 0);
    s.hold();
    MODEL_CHECK(handle->wait(poll_mode::read) == poll_result::ready);
    handle->close();
    ran.arrive();
  });
  thread("writer", [&] { make_readable(fd); });
  s.let_go();
  ran.wait();
  s.end();
}

// One sleeps in epoll for a timer; that is stopped, and nothing can come any more.
void all_asleep_body() {
  stage s(2, {});
  latch reported(1);
  expect_deadlock(reported);
  outsiders(0);
  internal::the_scheduler().expect_progress(1);
  alarm_timer later(std::chrono::hours(3));
  place for_ever;
  place as_long;
  later.arm();
  s.run("waiter", [&] {
    s.hold();
    for_ever.wait();
  });
  s.run("stopper", [&] {
    s.hold();
    MODEL_CHECK(later.stop());
    as_long.wait();
  });
  s.let_go();
  reported.wait();
}

// Who sleeps for a time will wake up: no deadlock, however the last ones go to sleep.
void sleeper_body() {
  stage s(2, {"first"});
  outsiders(0);
  internal::the_scheduler().expect_progress(1);
  latch ran(1);
  place nobody_comes;
  s.run("sleeper", [&] {
    s.hold();
    auto const e = nobody_comes.wait_until({.deadline = time_point(std::chrono::hours(2))});
    MODEL_CHECK(e.reason == internal::wake_reason::deadline);
    internal::the_scheduler().expect_progress(-1);
    ran.arrive();
  });
  s.let_go();
  ran.wait();
  s.end();
}

}  // namespace

model_case const plain_adds{"wake, a plain thread adds, a worker gives up",
                            {.preemptions = 1, .stale_reads = 1},
                            plain_adds_two_body};
model_case const plain_adds_to_one_processor{
    "wake, the same with one processor", {.preemptions = 2, .stale_reads = 1}, plain_adds_one_body};
model_case const plain_adds_before_epoll{"wake, a plain thread adds, a worker goes to epoll",
                                         {.preemptions = 1, .stale_reads = 0},
                                         plain_adds_before_epoll_body};
model_case const two_add_at_rest{"wake, two add, the workers are at rest",
                                 {.preemptions = 1, .stale_reads = 0},
                                 two_add_at_rest_body};
model_case const two_add_to_who_polls{"wake, two add, the worker sleeps in epoll",
                                      {.preemptions = 1, .stale_reads = 0},
                                      two_add_to_who_polls_body};
model_case const worker_fills_its_ring{"wake, a worker fills its ring, another gives up",
                                       {.preemptions = 1, .stale_reads = 1},
                                       worker_fills_its_ring_body};
model_case const ring_is_stolen{"wake, the ring's owner does not come to it",
                                {.preemptions = 1, .stale_reads = 0},
                                ring_is_stolen_body};
model_case const stuck_makes_ready{"wake, a goroutine that is stuck makes another ready",
                                   {.preemptions = 1, .stale_reads = 0},
                                   stuck_makes_ready_body};
model_case const stuck_arms_a_timer{"wake, a goroutine that is stuck arms a timer",
                                    {.preemptions = 1, .stale_reads = 1},
                                    stuck_arms_body};
model_case const plain_arms_a_timer{"wake, a plain thread arms a timer, a worker gives up",
                                    {.preemptions = 1, .stale_reads = 1},
                                    plain_arms_two_body};
model_case const plain_arms_with_one_processor{
    "wake, a timer with one processor", {.preemptions = 2, .stale_reads = 1}, plain_arms_one_body};
model_case const plain_arms_an_earlier_timer{"wake, a plain thread arms an earlier timer",
                                             {.preemptions = 1, .stale_reads = 0},
                                             plain_arms_earlier_body};
model_case const worker_arms_an_earlier_timer{
    "wake, a worker arms an earlier timer", {.preemptions = 1}, worker_arms_earlier_body};
model_case const plain_opens_a_descriptor{"wake, a plain thread opens a descriptor",
                                          {.preemptions = 1, .stale_reads = 1},
                                          plain_opens_body};
model_case const descriptor_becomes_ready{
    "wake, a descriptor becomes ready", {.preemptions = 3}, descriptor_becomes_ready_body};
model_case const all_asleep_is_reported{
    "wake, all sleep for ever", {.preemptions = 2, .stale_reads = 1}, all_asleep_body};
model_case const sleeper_is_no_deadlock{
    "wake, one sleeps for a time", {.preemptions = 1}, sleeper_body};

}  // namespace vole::model::cases
