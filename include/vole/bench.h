// SPDX-License-Identifier: Apache-2.0
//
// bench.h: benchmarks in the manner of Go's testing.B, printed in Go's benchmark format, so that
// the unmodified benchstat reads them.
//
//   VOLE_BENCH(chan_send) {
//     chan<int> c(1024);
//     while (b.loop()) {
//       c.send(1);
//       c.recv();
//     }
//   }
//
// prints "BenchmarkChanSend-2   52343226   22.91 ns/op". Link `vole_bench_main` (it brings main());
// run the program with -help to see the flags. Results go to stdout and nothing else may: a
// benchmark that has something to say says it with b.log, which writes to stderr.
//
// INVARIANTS
//   - A benchmark body runs in a goroutine; b belongs to that goroutine. parallel bodies get a
//     `parallel` of their own.
//   - loop_turn_ <= loop_target_; loop_target_ is 0 before and after the loop. While the timer is
//     stopped or the loop is to end, loop_turn_ carries poison_bit: one comparison is enough.
//   - b is a local of the function that calls the body, and no member passes its address on: when
//     the body is inlined there, the two words of loop() are registers.
// REJECTED the words of loop() in the state that the runner sees: a store and a load of the same
//   word in each turn, which showed 1.7 to 3 ns where registers show 0.7.
// LOCKS: none here; run_parallel's shared words are atomics (see src/bench/parallel.cc).
// Source: Go testing/benchmark.go (1.26). Differs: docs/guide/benchmarks.md, "Where it differs".

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "vole/internal/clock.h"
#include "vole/internal/format.h"
#include "vole/internal/keep.h"  // keep(x), clobber()

namespace vole::bench {

struct benchmark_state;  // what the runner keeps; src/bench/state.h

// parallel hands out the iterations of one body of run_parallel, and takes the time of some.
class parallel {
 public:
  // next says whether there is another iteration to do.
  // Safety: the goroutine that was given this object.   Cost: a decrement, and now and then about
  // 50 ns: at most 2 % of the work (see run_parallel).
  [[nodiscard]] bool next() {
    if (left_ == 0 && !advance()) return false;
    --left_;
    return true;
  }

 private:
  friend struct benchmark_state;
  struct shared;
  explicit parallel(shared* common) : common_(common) {}
  [[nodiscard]] bool advance();
  [[nodiscard]] bool take_grain();
  void plan_stretch(time_point now);

  shared* common_;
  std::uint64_t left_ = 0;        // iterations before the next look at the clock
  std::uint64_t grain_left_ = 0;  // taken from the shared counter, not yet part of left_
  std::uint64_t stretch_ = 0;     // iterations of the untimed stretch that is under way
  std::uint64_t every_ = 1;       // one iteration of so many is timed
  time_point stamp_;              // when the iteration or the stretch began
  bool timing_ = false;
};

// iterations is the count that a body is asked to do: a number that knows whether it was read.
class iterations {
 public:
  // A copy (auto n = b.n) has read it.
  iterations(iterations const& other) noexcept : value_(other), read_(true) {}
  iterations& operator=(iterations const&) = delete;

  operator std::int64_t() const noexcept {  // NOLINT(google-explicit-constructor): b.n is a number
    if (!read_) read_ = true;               // run_parallel has read it: its bodies do not write
    return value_;
  }

 private:
  friend class benchmark;
  explicit iterations(std::int64_t value) noexcept : value_(value) {}
  std::int64_t value_;
  mutable bool read_ = false;
};

// benchmark is what a benchmark body sees; Go's *testing.B.
// Safety: the goroutine that runs the body, and no other.
class benchmark {
 public:
  benchmark(benchmark const&) = delete;
  benchmark& operator=(benchmark const&) = delete;
  [[gnu::always_inline]] ~benchmark() { leave(*state_, n.read_); }

  // call makes a benchmark of the state and hands it to body; for VOLE_BENCH and run.
  template <class Fn>
  [[gnu::always_inline]] static void call(benchmark_state& state, Fn&& body) {
    benchmark b(state);
    body(b);
  }

  // n is the number of iterations a body that does not use loop() must do: for (std::int64_t i = 0;
  // i < b.n; ++i). Such a body is called several times, with growing n. Inside a loop() n is 0;
  // after it, what was done. A body that uses neither n nor loop() nor run() measures nothing: an
  // error.
  iterations n;

  // loop says whether to do another iteration. The first call resets the timer, the last one
  // (false) stops it: what stands before and after the loop is run once and not timed. A benchmark
  // fails when its body leaves the loop early, stops the timer and does not start it again, or
  // loops once more.   Cost: under 1 ns; no allocation.
  [[nodiscard, gnu::always_inline]] bool loop() {
    asm volatile("");  // an empty body is still run: the compiler may not add the turns up
    if (loop_turn_ < loop_target_) [[likely]] {
      ++loop_turn_;
      return true;
    }
    return loop_slow();
  }

  // loop(body) is the whole loop: b.loop([&] { return f(x); }). What body returns is kept, and what
  // it captures by reference may have changed before each turn, as far as the compiler knows.
  template <class Fn>
  [[gnu::always_inline]] void loop(Fn&& body) {
    while (loop()) {
      keep(body);
      if constexpr (std::is_void_v<std::invoke_result_t<Fn&>>) {
        body();
        clobber();
      } else {
        keep(body());
      }
    }
  }

  // reset_timer forgets the time, the allocations and the metrics so far; the timer goes on if it
  // was on. What a benchmark forgets again and again counts as left out (see stop_timer).
  void reset_timer() { reset(*state_); }
  // stop_timer and start_timer leave something out of the measure. Cost: two readings of the clock
  // and of the allocation counters; a stretch below ten readings is reported as too short. What is
  // left out may take three times -benchtime in all; then the measurement ends.
  void stop_timer() {
    stop(*state_);
    loop_turn_ |= poison_bit;
  }
  void start_timer() {
    if (start(*state_)) loop_turn_ &= ~poison_bit;
  }
  // elapsed is the time measured so far.
  [[nodiscard]] std::chrono::nanoseconds elapsed() const { return measured(*state_); }

  // set_bytes says how many bytes one iteration handles; adds MB/s to the result.
  void set_bytes(std::int64_t bytes) { set_bytes(*state_, bytes); }
  // report_metric adds "value unit" to the result, or replaces a built-in one; ("ns/op", 0) leaves
  // that out. Panics: unit is empty or holds a blank (caller's bug).
  void report_metric(double value, std::string_view unit) { add_metric(*state_, value, unit); }
  // report_allocs adds B/op and allocs/op, as -benchmem does: each block that the whole process
  // took from malloc or operator new while the timer was on, counted one by one. Whole numbers as
  // Go's, but 0.25 where Go shows 0. Sanitizer builds count nothing and leave both out.
  void report_allocs() { show_allocs(*state_); }

  // once returns what make() made when the benchmark was first called, whatever the number of calls
  // and of -count: set-up too dear to repeat. The timer stands still meanwhile. A body must call
  // once always, or never, in the same order.
  //   portfolio& p = b.once([] { return load_portfolio(); });
  template <class Fn>
  std::invoke_result_t<Fn&>& once(Fn make) {
    using T = std::invoke_result_t<Fn&>;
    std::shared_ptr<void>& slot = next_once(*state_);
    if (slot == nullptr) {
      timer_pause const pause(*state_);
      slot = std::make_shared<T>(make());
    }
    return *static_cast<T*>(slot.get());
  }
  // cleanup has fn called after the body has returned, outside the timer, the last one first.
  void cleanup(std::function<void()> fn) { add_cleanup(*state_, std::move(fn)); }

  // run measures body as the sub-benchmark name/sub. A benchmark that calls run is not measured
  // itself. Returns false when a sub-benchmark failed. Where three or more are named n=<number>,
  // the growth of their times is fitted and shown on stderr.
  template <class Fn>
  bool run(std::string_view sub, Fn body) {
    return run_sub(*state_, sub, [body](benchmark_state& state) mutable { call(state, body); });
  }

  // run_parallel starts max_procs * parallelism goroutines that share the n iterations, and waits
  // for them. It stands in the place of loop(): within one the benchmark fails.
  //   b.run_parallel([&](bench::parallel& turns) { while (turns.next()) mu.lock(), mu.unlock(); });
  // ns/op is wall time; p50-ns/op, p99-ns/op and max-ns/op are of single iterations: each one that
  // lasts 2.5 us or more is timed, of shorter ones one every 2.5 us. What is shorter than a reading
  // of the clock is left out.
  // Blocks: parks the goroutine. The body must go on until next() is false (the benchmark fails
  // otherwise). It may call fail, fatal, skip and log, and nothing else of b.
  void run_parallel(std::function<void(parallel&)> body) {
    if (!run_bodies(*state_, n, body)) end_loop();
  }
  // set_parallelism sets how many goroutines per processor run_parallel starts; 1 unless set.
  void set_parallelism(int goroutines_per_processor) {
    set_parallelism(*state_, goroutines_per_processor);
  }

  // The four that follow may be called by any goroutine that ends before the body does.
  //
  // fail lets the benchmark go on, but it has no result and the program ends with status 1.
  template <class... Args>
  void fail(fmt::format_string<Args...> text, Args&&... args) {
    add_failure(*state_, fmt::format(text, std::forward<Args>(args)...));
  }
  // fatal is fail, and ends the loop: the next loop() is false, and soon next() in all bodies of
  // run_parallel. Elsewhere: `return b.fatal(...)`.
  template <class... Args>
  void fatal(fmt::format_string<Args...> text, Args&&... args) {
    add_failure(*state_, fmt::format(text, std::forward<Args>(args)...));
    end_loop();
  }
  // skip ends the benchmark without a result, as fatal does; not a failure.
  template <class... Args>
  void skip(fmt::format_string<Args...> text, Args&&... args) {
    add_skip(*state_, fmt::format(text, std::forward<Args>(args)...));
    end_loop();
  }
  // log writes a line to stderr, below the name of the benchmark, once it is done.
  template <class... Args>
  void log(fmt::format_string<Args...> text, Args&&... args) {
    add_log(*state_, fmt::format(text, std::forward<Args>(args)...));
  }
  [[nodiscard]] bool failed() const { return failed(*state_); }
  [[nodiscard]] std::string const& name() const { return name(*state_); }

 private:
  static constexpr std::uint64_t poison_bit = std::uint64_t{1} << 63;

  // timer_pause leaves its scope out of the measure.
  struct timer_pause {
    explicit timer_pause(benchmark_state& of);
    ~timer_pause();
    benchmark_state& paused;
    bool was_on;
  };
  struct stretch {
    std::uint64_t target;  // the turn at which to ask again; 0: the loop is over
    std::int64_t n;        // what b.n is meanwhile
  };

  explicit benchmark(benchmark_state& state) : n(asked_n(state)), state_(&state) {}

  void end_loop() {
    if (end(*state_)) loop_turn_ |= poison_bit;
  }
  [[nodiscard, gnu::always_inline]] bool loop_slow() {
    stretch const next = next_stretch(*state_, loop_turn_);
    loop_target_ = next.target;
    n.value_ = next.n;
    ++loop_turn_;
    return next.target != 0;
  }

  // In src/bench/benchmark.cc and parallel.cc. start returns false when the benchmark is to end.
  static std::int64_t asked_n(benchmark_state const& s);
  static stretch next_stretch(benchmark_state& s, std::uint64_t turn);
  static void leave(benchmark_state& s, bool read_n);
  static void reset(benchmark_state& s);
  static void stop(benchmark_state& s);
  static bool start(benchmark_state& s);
  static std::chrono::nanoseconds measured(benchmark_state const& s);
  static void set_bytes(benchmark_state& s, std::int64_t bytes);
  static void add_metric(benchmark_state& s, double value, std::string_view unit);
  static void show_allocs(benchmark_state& s);
  static std::shared_ptr<void>& next_once(benchmark_state& s);
  static void add_cleanup(benchmark_state& s, std::function<void()> fn);
  static bool run_sub(benchmark_state& s, std::string_view sub,
                      std::function<void(benchmark_state&)> body);
  static bool run_bodies(benchmark_state& s, std::int64_t turns,
                         std::function<void(parallel&)> const& body);
  static void set_parallelism(benchmark_state& s, int goroutines_per_processor);
  static void add_failure(benchmark_state& s, std::string text);
  static void add_skip(benchmark_state& s, std::string text);
  // end has the next loop() be false; returns whether the caller is the goroutine that loops.
  static bool end(benchmark_state& s);
  static void add_log(benchmark_state& s, std::string text);
  static bool failed(benchmark_state const& s);
  static std::string const& name(benchmark_state const& s);

  friend struct benchmark_state;
  benchmark_state* state_;
  std::uint64_t loop_turn_ = 0;
  std::uint64_t loop_target_ = 0;
};

// registration puts a benchmark on the program's list; made by VOLE_BENCH before main, in the order
// of the source.
struct registration {
  registration(std::string_view snake_name, void (*body)(benchmark_state&),
               std::string_view file = "unknown", int line = 0);

  std::string name;  // "ChanSend"
  void (*body)(benchmark_state&);
  std::string place;  // "src/chan/chan_bench.cc:12"
  registration* next = nullptr;
};

// main reads Go's flags (-help lists them), runs the benchmarks of the program in a runtime and
// returns the exit status: 0 all well, 1 a benchmark failed or results are lost, 2 the flags or the
// names are wrong or the time is out, 130 Ctrl-C.
int main(int argc, char** argv);

}  // namespace vole::bench

// b.log("{}", b.n): as the number that it is.
template <>
struct fmt::formatter<vole::bench::iterations> : fmt::formatter<std::int64_t> {
  template <class Context>
  auto format(vole::bench::iterations const& n, Context& to) const {
    return fmt::formatter<std::int64_t>::format(std::int64_t{n}, to);
  }
};

// VOLE_BENCH(snake_name) { ... } defines a benchmark; the body sees `b`, a vole::bench::benchmark&.
// It is printed in Go's spelling: chan_send is BenchmarkChanSend.
#define VOLE_BENCH(snake_name)                                               \
  static void vole_bench_body_##snake_name(::vole::bench::benchmark& b);     \
  static ::vole::bench::registration vole_bench_entry_##snake_name{          \
      #snake_name,                                                           \
      [](::vole::bench::benchmark_state& state) {                            \
        ::vole::bench::benchmark::call(state, vole_bench_body_##snake_name); \
      },                                                                     \
      __FILE__, __LINE__};                                                   \
  static void vole_bench_body_##snake_name([[maybe_unused]] ::vole::bench::benchmark& b)
