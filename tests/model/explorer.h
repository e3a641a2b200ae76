// SPDX-License-Identifier: Apache-2.0
#pragma once
// The explorer: runs a small case again and again, each time with another
// interleaving and other choices of what a load reads, until all within the
// bounds were seen. docs/internals/model.md.
//
// A case is a function. What it makes is new in each execution; it starts
// threads, joins them and checks. It must do the same whenever it is given the
// same choices: no clock, no randomness of its own, and nothing allocated that
// outlives it.

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "vole/internal/atomic.h"

namespace vole::model {

// fault changes, in the explorer alone, what the product's accesses mean: the
// accesses of one kind and order in the functions whose name contains
// `function`.
struct fault {
  enum class effect : std::uint8_t {
    weaken,  // the order becomes relaxed
    split,   // a read-modify-write becomes a load, and later a store
    drop,    // a store or wake does not happen, a read-modify-write writes nothing
    blind,   // a load finds zero: the check is missing
    late,    // a store, or a read-modify-write whose result is not used, comes `steps` accesses
             // later, or when the thread goes to sleep: it stands further down in the source
  };
  char const* function = nullptr;
  op kind = op::load;
  memory_order order = memory_order::relaxed;
  effect what = effect::weaken;
  int steps = 0;
};

struct options {
  int preemptions = 2;  // of a thread that could go on; -1: no bound
  int stale_reads = 2;  // loads that read another store than the last; -1: no bound
  std::uint64_t executions_max = 2'000'000;
  fault broken{};
};

struct report {
  bool failed = false;
  bool complete = false;  // all within the bounds was seen
  std::string failure;    // what went wrong
  std::string schedule;   // how, step by step
  std::uint64_t executions = 0;
  std::uint64_t steps = 0;
  std::uint64_t fault_hits = 0;
  std::map<std::string, std::uint64_t> outcomes;  // of outcome(), with their number
};

// explore runs the case until all was seen or something failed, and prints one
// line about it.
report explore(char const* name, options const& with, std::function<void()> const& body);

// --- within a case

using thread_function = void (*)(void*, void*);
int start_thread(char const* name, thread_function fn, void* a, void* b, bool is_goroutine);

template <class Fn>
int start(char const* name, Fn fn, bool is_goroutine) {
  auto* const kept = new Fn(std::move(fn));
  auto const run = [](void* a, void*) {
    auto* const fn_here = static_cast<Fn*>(a);
    (*fn_here)();
    delete fn_here;
  };
  return start_thread(name, run, kept, nullptr, is_goroutine);
}
// thread starts a plain thread, go one that is a goroutine for the code under
// test.
template <class Fn>
int thread(char const* name, Fn fn) {
  return start(name, std::move(fn), false);
}
template <class Fn>
int go(char const* name, Fn fn) {
  return start(name, std::move(fn), true);
}
// service starts a thread that nobody waits for: the execution ends without it.
int service(char const* name, thread_function fn, void* a, void* b);
// join waits until all threads but services have ended.
void join() noexcept;
// settle waits until nobody else can go on, but for those who sleep until a deadline.
void settle() noexcept;

// hold_choices(true): from here on all goes the first way there is, and nothing of it is explored,
// until hold_choices(false). For what must come before the matter of a case.
void hold_choices(bool on) noexcept;

// choose is a choice among n that is explored.
std::uint32_t choose(std::uint32_t n) noexcept;
// outcome counts how an execution ended.
void outcome(std::string const& text);
// name has the bytes at `at` called so in a schedule.
void name(void const* at, std::size_t bytes, char const* text) noexcept;
template <class T>
void name(T const& object, char const* text) noexcept {
  name(&object, sizeof object, text);
}
// clock_step has the clock of this execution move on by so much at each look;
// else it stands still.
void clock_step(std::uint64_t ns) noexcept;
std::uint64_t clock_ns() noexcept;
// clock_reaches moves it on to that time at least.
void clock_reaches(std::uint64_t ns) noexcept;
[[noreturn]] void fail(std::string const& what);

#define MODEL_CHECK(condition) \
  (static_cast<bool>(condition) ? void(0) : ::vole::model::fail("not so: " #condition))

// --- for the code that stands in for the runtime (runtime_model.cc)

// suspend leaves the thread until resume names it; what the resumer did before
// is seen by it.
void suspend(std::source_location where = std::source_location::current()) noexcept;
void resume(int thread_id, std::source_location where = std::source_location::current()) noexcept;
int current_thread() noexcept;
// remark is a line in the schedule.
void remark(char const* text) noexcept;
// user is one pointer of each thread.
void*& user(int thread_id) noexcept;
bool is_goroutine(int thread_id) noexcept;
// touch is a plain access to memory that the compiler did not announce.
void touch(void const* at, std::size_t bytes, bool writes,
           std::source_location where = std::source_location::current()) noexcept;
// sleep_on sleeps while the word holds expected; false: its deadline came.
bool sleep_on(cell const& word, std::uint64_t expected, bool has_deadline,
              std::source_location where) noexcept;
void wake(void const* at, int count, std::source_location where) noexcept;

}  // namespace vole::model
