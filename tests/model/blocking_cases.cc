// SPDX-License-Identifier: Apache-2.0
// A processor is handed over: blocking(), a goroutine wired to its thread, more processors.

#include "place.h"
#include "runtime/netpoller.h"
#include "scheduler_cases.h"
#include "scheduler_stage.h"

namespace vole::model::cases {
namespace {

using internal::current_goroutine;
using internal::poll_handle;
using internal::poll_mode;
using internal::poll_result;
using internal::the_scheduler;

// Work comes while the only processor is handed over; who blocks waits for it.
void work_for_who_blocks_body() {
  stage s(1, {});
  latch ran(1);
  latch ended(1);
  s.run("blocker", [&] {
    s.hold();
    the_scheduler().enter_blocking(*current_goroutine());
    ran.wait();
    the_scheduler().leave_blocking(*current_goroutine());
    ended.arrive();
  });
  thread("adder", [&] { spawn("work", [&] { ran.arrive(); }); });
  s.let_go();
  ended.wait();
  s.end();
}

// A timer is armed while the only processor is handed over.
void timer_while_the_last_blocks_body() {
  stage s(1, {});
  alarm_timer soon(std::chrono::hours(2));
  latch ended(1);
  s.run("blocker", [&] {
    s.hold();
    the_scheduler().enter_blocking(*current_goroutine());
    soon.fired.wait();
    the_scheduler().leave_blocking(*current_goroutine());
    ended.arrive();
  });
  thread("armer", [&] { soon.arm(); });
  s.let_go();
  ended.wait();
  s.end();
}

void descriptor_while_the_last_blocks_body() {
  stage s(1, {});
  latch read(1);
  latch ended(1);
  s.run("blocker", [&] {
    s.hold();
    the_scheduler().enter_blocking(*current_goroutine());
    read.wait();
    the_scheduler().leave_blocking(*current_goroutine());
    ended.arrive();
  });
  thread("reader", [&] {
    int const fd = open_file();
    make_readable(fd);
    poll_handle* handle = nullptr;
    MODEL_CHECK(poll_handle::open(fd, &handle) == 0);
    MODEL_CHECK(handle->wait(poll_mode::read) == poll_result::ready);
    handle->close();
    read.arrive();
  });
  s.let_go();
  ended.wait();
  s.end();
}

// Two come back at once, for two processors that others may have taken.
void two_leave_blocking_body() {
  stage s(2, {});
  latch ended(3);
  auto const blocker = [&] {
    s.hold();
    the_scheduler().enter_blocking(*current_goroutine());
    the_scheduler().leave_blocking(*current_goroutine());
    ended.arrive();
  };
  s.run("blocker", blocker);
  s.run("other", blocker);
  thread("adder", [&] { spawn("work", [&] { ended.arrive(); }); });
  s.let_go();
  ended.wait();
  s.end();
}

// A goroutine that is wired to its worker parks, and runs there again when it was woken.
void wired_is_woken_body() {
  stage s(2, {});
  place at;
  latch ended(1);
  s.run("wired", [&] {
    the_scheduler().wire(*current_goroutine());
    internal::worker* const mine = internal::current_worker();
    s.hold();
    at.wait();
    MODEL_CHECK(internal::current_worker() == mine);
    the_scheduler().unwire(*current_goroutine());
    ended.arrive();
  });
  thread("waker", [&] { at.wake(7); });
  s.let_go();
  ended.wait();
  s.end();
}

// A second processor comes while work is added and the first one is in use.
void processors_are_added_body() {
  stage s(1, {});
  latch ran(1);
  latch ended(1);
  s.run("busy", [&] {
    s.hold();
    ran.wait();
    ended.arrive();
  });
  thread("adder", [&] { spawn("work", [&] { ran.arrive(); }); });
  thread("setter", [&] { the_scheduler().set_max_procs(2); });
  s.let_go();
  ended.wait();
  s.end_with(2);
}

}  // namespace

model_case const work_for_who_blocks{"hand-over, work comes for who blocks",
                                     {.preemptions = 1, .stale_reads = 1},
                                     work_for_who_blocks_body};
model_case const timer_while_the_last_blocks{
    "hand-over, a timer is armed", {.preemptions = 1}, timer_while_the_last_blocks_body};
model_case const descriptor_while_the_last_blocks{
    "hand-over, a descriptor is opened", {.preemptions = 1}, descriptor_while_the_last_blocks_body};
model_case const two_leave_blocking{
    "hand-over, two come back", {.preemptions = 1, .stale_reads = 0}, two_leave_blocking_body};
model_case const wired_is_woken{
    "hand-over, of who is wired", {.preemptions = 1}, wired_is_woken_body};
model_case const processors_are_added{"hand-over, a processor is added",
                                      {.preemptions = 1, .stale_reads = 0},
                                      processors_are_added_body};

}  // namespace vole::model::cases
