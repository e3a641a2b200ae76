// SPDX-License-Identifier: Apache-2.0
#pragma once
// The one explorer of the process: its threads, its decisions, what it has
// seen.
//
// INVARIANTS
//   - One thread of the case runs at a time, on a fiber; it goes on until it
//   comes to a step, and
//     there a decision says who takes the next one.
//   - An execution is its decisions: given the same ones a case does the same.
//   Decisions are walked
//     depth first; the first of each is to go on, and to read the last store.
//   - inside_case holds while code of the case runs, and not while that of the
//   explorer does: only
//     then are plain accesses looked at, and memory taken from the arena.
// No locks: one thread of the machine.

#include <cstddef>
#include <cstdint>
#include <source_location>
#include <string>
#include <unordered_set>
#include <vector>

#include "explorer.h"
#include "memory.h"
#include "plain.h"
#include "runtime/fiber.h"
#include "thread_locals.h"

namespace vole::model {

enum class thread_state : std::uint8_t {
  runnable,
  yielded,
  asleep,
  suspended,
  joining,
  settling,
  ended
};

struct step {
  enum class what : std::uint8_t { access, note };
  what kind = what::access;
  std::uint8_t thread = 0;
  op action = op::load;
  memory_order order = memory_order::relaxed;
  bool stale = false;
  bool failed = false;  // of a compare-exchange
  bool faulty = false;
  bool alone = false;  // no other thread was there
  std::uint32_t location = 0;
  std::uint64_t before = 0;
  std::uint64_t after = 0;
  std::uint64_t latest = 0;
  char const* text = nullptr;
  int other = -1;
  std::source_location where{};
};

struct seen_read {
  std::uint32_t location;
  std::uint32_t index;
  std::uint32_t times;
};

// deferred is an access that a fault has come late.
struct deferred {
  cell word;
  op kind;
  std::uint64_t operand;
  memory_order order;
  std::source_location where;
  int steps_left;
};

struct model_thread {
  internal::fiber context;
  std::vector<char> stack;
  char const* name = "";
  thread_state state = thread_state::ended;
  bool timed = false;  // asleep with a deadline
  bool timed_out = false;
  bool goroutine = false;
  bool service = false;
  void const* sleeps_on = nullptr;
  void* user = nullptr;
  thread_function fn = nullptr;
  void* a = nullptr;
  void* b = nullptr;
  reader memory;
  std::vector<seen_read> reads;  // since the last pause
  std::uint32_t spins_out = 0;   // pauses for which it goes on spinning, whatever others do
  std::vector<char> locals;      // its thread_locals, while it does not run
  std::vector<deferred> late;
};

struct decision {
  std::uint32_t chosen;
  std::uint32_t count;
};

struct named_range {
  char const* low;
  std::size_t bytes;
  char const* text;
};

class engine {
 public:
  report explore(char const* name, options const& with, std::function<void()> const& body);

  bool running() const noexcept { return running_; }

  // Code of the explorer that a thread of the case called, for as long as this
  // lives.
  class guard {
   public:
    guard() noexcept : before_(inside_case) { inside_case = false; }
    ~guard() { inside_case = before_; }
    guard(guard const&) = delete;
    guard& operator=(guard const&) = delete;

   private:
    bool before_;
  };

  // steps.cc
  std::uint64_t load(cell const& c, memory_order order, std::source_location const& where);
  void store(cell const& c, std::uint64_t value, memory_order order,
             std::source_location const& where);
  std::uint64_t modify(op kind, cell const& c, std::uint64_t operand, memory_order order,
                       std::source_location const& where);
  bool compare(cell const& c, std::uint64_t& expected, std::uint64_t desired, memory_order success,
               memory_order failure, std::source_location const& where);
  void fence(memory_order order, std::source_location const& where);
  void barrier(std::source_location const& where);
  void pause(std::source_location const& where);
  bool sleep_on(cell const& c, std::uint64_t expected, bool has_deadline,
                std::source_location const& where);
  void wake(void const* at, int count, std::source_location const& where);
  void begin_life(void const* at);
  void end_life(void const* at);
  void plain(void const* at, std::size_t bytes, bool writes, void const* pc);
  void freed(void const* at, std::size_t bytes);

  // explorer.cc
  int start_thread(char const* name, thread_function fn, void* a, void* b, bool is_goroutine,
                   bool is_service);
  void join();
  void settle();
  void hold_choices(bool on) noexcept { choices_held_ = on; }
  void suspend(std::source_location const& where);
  void resume(int id, std::source_location const& where);
  std::uint32_t choose(std::uint32_t n);
  void outcome(std::string const& text) { ++report_.outcomes[text]; }
  void name(void const* at, std::size_t bytes, char const* text) {
    names_.push_back({static_cast<char const*>(at), bytes, text});
  }
  [[noreturn]] void fail(std::string what);
  void clock_step(std::uint64_t ns) noexcept { clock_step_ns_ = ns; }
  void clock_reaches(std::uint64_t ns) noexcept {
    if (clock_ns_ < ns) clock_ns_ = ns;
  }
  std::uint64_t clock_ns() noexcept { return clock_ns_ += clock_step_ns_; }
  int current() const noexcept { return current_; }
  model_thread& thread_at(int id) noexcept { return threads_[static_cast<std::size_t>(id)]; }
  void note(char const* text, int other, std::source_location const& where);

 private:
  void run_once(std::function<void()> const& body);
  bool next_decisions();
  static void fiber_main(void* arg);
  void end_current();
  // Who takes the next step; the caller can take it itself or not.
  void schedule(bool caller_can);
  void switch_to(int id);
  bool last_resort(std::vector<int>& who);

  // steps.cc
  location& reach(cell const& c, std::source_location const& where, bool writes);
  void point(void const* at);
  void any_point();
  bool breaks(fault::effect what, op kind, memory_order order, std::source_location const& where);
  void defer(cell const& c, op kind, std::uint64_t operand, memory_order order,
             std::source_location const& where);
  // Does what a fault has come late, if its time is there or `all` is to be done.
  void catch_up(bool all);
  // unlike: an older store that holds this is not chosen.
  std::uint32_t choose_store(location& l, memory_order order, std::uint64_t const* unlike);
  void remember_read(std::uint32_t id, std::uint32_t index);
  void stored(location& l);
  step& record(op action, memory_order order, location* l, std::source_location const& where);
  model_thread& self() noexcept { return thread_at(current_); }
  std::uint32_t& clock() noexcept {
    return self().memory.seen.clock[static_cast<std::size_t>(current_)];
  }

  // trace.cc
  std::string written_schedule();
  std::string written(step const& s, std::size_t number);
  std::string place_of(void const* at);
  static std::string symbol_of(void const* pc);
  std::string blocked_threads();

  options with_;
  report report_;
  std::vector<decision> decisions_;
  std::size_t depth_ = 0;
  int preemptions_left_ = 0;
  int stale_left_ = 0;
  bool restart_ = false;
  bool choices_held_ = false;
  bool catching_up_ = false;
  std::unordered_set<void const*> shared_;  // words that several threads use, one of them writing

  model_thread threads_[threads_max];
  int used_ = 0;
  int live_ = 0;
  int awaited_ = 0;  // of these, those that are no services
  int current_ = -1;
  internal::fiber home_;
  thread_locals locals_;
  std::vector<char> locals_at_home_;
  bool running_ = false;
  std::uint32_t idle_rounds_ = 0;
  std::uint64_t clock_ns_ = 0;
  std::uint64_t clock_step_ns_ = 0;

  memory memory_;
  shadow shadow_;
  std::vector<step> trace_;
  std::vector<named_range> names_;
};

engine& the_engine() noexcept;

}  // namespace vole::model
