// SPDX-License-Identifier: Apache-2.0
// The walk over all executions, and whose turn it is. Invariants: engine.h.

#include "explorer.h"

#include <cstdio>
#include <utility>

#include "engine.h"

namespace vole::model {
namespace {

constexpr std::size_t stack_bytes = 64 << 10;
constexpr std::uint32_t idle_rounds_max = 2000;
constexpr std::size_t steps_max = 20'000;

}  // namespace

engine& the_engine() noexcept {
  static engine* const made = new engine;
  return *made;
}

report engine::explore(char const* name, options const& with, std::function<void()> const& body) {
  with_ = with;
  report_ = {};
  decisions_.clear();
  shared_.clear();
  for (;;) {
    run_once(body);
    ++report_.executions;
    if (report_.failed) break;
    if (restart_) {
      restart_ = false;
      decisions_.clear();
      report_.outcomes.clear();
      continue;
    }
    if (!next_decisions()) {
      report_.complete = true;
      break;
    }
    if (report_.executions >= with_.executions_max) break;
  }
  std::printf("model: %s: %llu executions, %llu steps, %s\n", name,
              static_cast<unsigned long long>(report_.executions),
              static_cast<unsigned long long>(report_.steps),
              report_.failed     ? "a failure"
              : report_.complete ? "all within the bounds"
                                 : "cut off");
  return std::move(report_);
}

bool engine::next_decisions() {
  while (!decisions_.empty() && decisions_.back().chosen + 1 == decisions_.back().count) {
    decisions_.pop_back();
  }
  if (decisions_.empty()) return false;
  ++decisions_.back().chosen;
  return true;
}

void engine::run_once(std::function<void()> const& body) {
  depth_ = 0;
  preemptions_left_ = with_.preemptions;
  stale_left_ = with_.stale_reads;
  used_ = 0;
  live_ = 0;
  awaited_ = 0;
  choices_held_ = false;
  idle_rounds_ = 0;
  clock_ns_ = 3'600'000'000'000;
  clock_step_ns_ = 0;
  trace_.clear();
  names_.clear();
  memory_.reset();
  shadow_.reset();
  start_thread(
      "main", [](void* fn, void*) { (*static_cast<std::function<void()> const*>(fn))(); },
      const_cast<void*>(static_cast<void const*>(&body)), nullptr, false, false);
  running_ = true;
  current_ = 0;
  locals_.exchange(locals_at_home_, threads_[0].locals);
  internal::fiber_switch(home_, threads_[0].context);
  locals_.exchange(threads_[0].locals, locals_at_home_);
  running_ = false;
  inside_case = false;
  current_ = -1;
  report_.steps += trace_.size();
}

int engine::start_thread(char const* name, thread_function fn, void* a, void* b, bool is_goroutine,
                         bool is_service) {
  if (used_ == static_cast<int>(threads_max)) fail("too many threads");
  int const id = used_++;
  model_thread& t = thread_at(id);
  if (t.stack.empty()) t.stack.resize(stack_bytes);
  t.context.sp = internal::fiber_prepare(
      reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(t.stack.data() + stack_bytes) &
                              ~std::uintptr_t{63}),
      &engine::fiber_main, &t);
  t.name = name;
  t.state = thread_state::runnable;
  t.timed = t.timed_out = false;
  t.goroutine = is_goroutine;
  t.service = is_service;
  t.sleeps_on = nullptr;
  t.user = nullptr;
  t.fn = fn;
  t.a = a;
  t.b = b;
  t.reads.clear();
  t.spins_out = 0;
  t.locals = locals_.fresh();
  t.late.clear();
  t.memory = {};
  if (current_ >= 0) {
    t.memory.seen = self().memory.seen;
    ++clock();
  }
  t.memory.seen.clock[static_cast<std::size_t>(id)] = 1;
  ++live_;
  if (!is_service) ++awaited_;
  return id;
}

void engine::fiber_main(void* arg) {
  auto& t = *static_cast<model_thread*>(arg);
  engine& e = the_engine();
  inside_case = true;
  t.fn(t.a, t.b);
  inside_case = false;
  e.end_current();
}

void engine::end_current() {
  catch_up(true);
  self().state = thread_state::ended;
  --live_;
  if (!self().service) --awaited_;
  note("ends", -1, {});
  for (int i = 0; i < used_; ++i) {
    model_thread& t = thread_at(i);
    if (t.state != thread_state::joining) continue;
    t.memory.seen.join(self().memory.seen);
    if (awaited_ == 1) t.state = thread_state::runnable;
  }
  if (awaited_ == 0) {
    internal::fiber_switch(self().context, home_);
  }
  schedule(false);
  __builtin_unreachable();
}

void engine::join() {
  for (int i = 1; i < used_; ++i) {
    if (thread_at(i).state == thread_state::ended)
      self().memory.seen.join(thread_at(i).memory.seen);
  }
  if (awaited_ == 1) return;
  self().state = thread_state::joining;
  schedule(false);
}

void engine::settle() {
  note("waits until all others have come to rest", -1, {});
  self().state = thread_state::settling;
  schedule(false);
}

void engine::suspend(std::source_location const& where) {
  catch_up(true);
  note("is parked", -1, where);
  self().state = thread_state::suspended;
  schedule(false);
}

void engine::resume(int id, std::source_location const& where) {
  note("makes ready", id, where);
  model_thread& t = thread_at(id);
  if (t.state != thread_state::suspended) {
    fail("a goroutine is made ready that is not parked: '" + std::string(t.name) + "'");
  }
  t.state = thread_state::runnable;
  t.memory.seen.join(self().memory.seen);
  ++clock();
  idle_rounds_ = 0;
}

std::uint32_t engine::choose(std::uint32_t n) {
  if (n <= 1 || choices_held_) return 0;
  if (depth_ < decisions_.size()) {
    if (decisions_[depth_].count != n) {
      fail("the case does not do the same when it is run again");
    }
    return decisions_[depth_++].chosen;
  }
  decisions_.push_back({0, n});
  ++depth_;
  return 0;
}

// Those who go on only when nobody else can: first who spins, then who waits
// for all others to rest, then who sleeps until a deadline.
bool engine::last_resort(std::vector<int>& who) {
  for (auto const state : {thread_state::yielded, thread_state::settling, thread_state::asleep}) {
    for (int i = 0; i < used_; ++i) {
      model_thread const& t = thread_at(i);
      if (t.state == state && (state != thread_state::asleep || t.timed)) who.push_back(i);
    }
    if (!who.empty()) return true;
  }
  return false;
}

void engine::schedule(bool caller_can) {
  if (trace_.size() > steps_max) fail("too many steps: some loop does not end");
  std::vector<int> who;
  if (caller_can) who.push_back(current_);
  if (!caller_can || preemptions_left_ != 0) {
    for (int i = 0; i < used_; ++i) {
      if (i != current_ && thread_at(i).state == thread_state::runnable) who.push_back(i);
    }
  }
  bool const forced = who.empty();
  if (forced && !last_resort(who)) fail("deadlock: no thread can go on" + blocked_threads());
  if (forced && ++idle_rounds_ > idle_rounds_max) {
    fail("livelock: threads spin for what nobody does" + blocked_threads());
  }
  int const next = who[choose(static_cast<std::uint32_t>(who.size()))];
  model_thread& t = thread_at(next);
  if (forced) {
    t.timed_out = t.state == thread_state::asleep;
    t.state = thread_state::runnable;
  }
  if (next == current_) return;
  if (caller_can) {
    --preemptions_left_;
    note("is preempted by", next, {});
  }
  switch_to(next);
}

void engine::switch_to(int id) {
  model_thread& from = self();
  locals_.exchange(from.locals, thread_at(id).locals);
  current_ = id;
  internal::fiber_switch(from.context, thread_at(id).context);
}

void engine::fail(std::string what) {
  inside_case = false;
  report_.failed = true;
  report_.failure = std::move(what);
  report_.schedule = written_schedule();
  internal::fiber lost;
  internal::fiber_switch(lost, home_);
  __builtin_unreachable();
}

void engine::note(char const* text, int other, std::source_location const& where) {
  step s;
  s.kind = step::what::note;
  s.thread = static_cast<std::uint8_t>(current_);
  s.text = text;
  s.other = other;
  s.where = where;
  s.alone = live_ <= 1;
  trace_.push_back(s);
}

// --- what a case calls

report explore(char const* name, options const& with, std::function<void()> const& body) {
  return the_engine().explore(name, with, body);
}
int start_thread(char const* name, thread_function fn, void* a, void* b, bool is_goroutine) {
  engine::guard const g;
  return the_engine().start_thread(name, fn, a, b, is_goroutine, false);
}
int service(char const* name, thread_function fn, void* a, void* b) {
  engine::guard const g;
  return the_engine().start_thread(name, fn, a, b, false, true);
}
void settle() noexcept {
  engine::guard const g;
  the_engine().settle();
}
void hold_choices(bool on) noexcept {
  the_engine().hold_choices(on);
}
void join() noexcept {
  engine::guard const g;
  the_engine().join();
}
std::uint32_t choose(std::uint32_t n) noexcept {
  engine::guard const g;
  return the_engine().choose(n);
}
void outcome(std::string const& text) {
  engine::guard const g;
  the_engine().outcome(text);
}
void name(void const* at, std::size_t bytes, char const* text) noexcept {
  engine::guard const g;
  the_engine().name(at, bytes, text);
}
void fail(std::string const& what) {
  engine::guard const g;
  the_engine().fail(what);
}
void suspend(std::source_location where) noexcept {
  engine::guard const g;
  the_engine().suspend(where);
}
void resume(int thread_id, std::source_location where) noexcept {
  engine::guard const g;
  the_engine().resume(thread_id, where);
}
void clock_step(std::uint64_t ns) noexcept {
  the_engine().clock_step(ns);
}
std::uint64_t clock_ns() noexcept {
  return the_engine().clock_ns();
}
void clock_reaches(std::uint64_t ns) noexcept {
  the_engine().clock_reaches(ns);
}
void remark(char const* text) noexcept {
  engine::guard const g;
  the_engine().note(text, -1, {});
}
int current_thread() noexcept {
  return the_engine().current();
}
void*& user(int thread_id) noexcept {
  return the_engine().thread_at(thread_id).user;
}
bool is_goroutine(int thread_id) noexcept {
  return the_engine().thread_at(thread_id).goroutine;
}
bool running() noexcept {
  return the_engine().running();
}

}  // namespace vole::model
