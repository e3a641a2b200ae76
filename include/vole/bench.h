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
//   `parallel` of their own.
//   - loop_turn_ <= loop_target_; loop_target_ is 0 until the first call of loop().
// LOCKS: none here; run_parallel's shared counter is an atomic (see src/bench/benchmark.cc).
// Source: Go testing/benchmark.go (1.26). Differs: logs go to stderr; see docs/guide/benchmarks.md.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace vole::bench {

// keep makes the compiler believe that x is read and, when x may be changed, changed here. What
// computes x cannot be thrown away, and what uses x afterwards cannot be computed beforehand. Cost:
// no instruction for what already stands in a register or in memory.
template <class T>
[[gnu::always_inline]] inline void keep(T&& x) {
  using value = std::remove_reference_t<T>;
  constexpr bool scalar = std::is_scalar_v<value> && sizeof(value) <= sizeof(void*);
  if constexpr (std::is_const_v<value> || !std::is_lvalue_reference_v<T>) {
    asm volatile("" : : "r"(&x) : "memory");
  } else if constexpr (std::is_floating_point_v<value> && scalar) {
#if defined(__x86_64__)
    asm volatile("" : "+x"(x) : : "memory");
#else
    asm volatile("" : "+w"(x) : : "memory");
#endif
  } else if constexpr (scalar && !std::is_member_pointer_v<value>) {
    asm volatile("" : "+r"(x) : : "memory");
  } else {
    asm volatile("" : "+m"(x) : : "memory");
  }
}

// clobber makes the compiler believe that all memory that has a name elsewhere is read and changed
// here.
[[gnu::always_inline]] inline void clobber() {
  asm volatile("" : : : "memory");
}

// parallel hands out the iterations of one body of run_parallel.
class parallel {
 public:
  // next says whether there is another iteration to do.
  // Safety: the goroutine that was given this object.   Cost: a decrement; one atomic add per grain
  // of iterations.
  [[nodiscard]] bool next() {
    if (left_ == 0 && !refill()) return false;
    --left_;
    return true;
  }

 private:
  friend class benchmark;
  struct shared;
  explicit parallel(shared* common) : common_(common) {}
  [[nodiscard]] bool refill();

  shared* common_;
  std::uint64_t left_ = 0;
};

// benchmark is what a benchmark body sees; Go's *testing.B.
// Safety: the goroutine that runs the body, and no other.
class benchmark {
 public:
  benchmark(benchmark const&) = delete;
  benchmark& operator=(benchmark const&) = delete;
  ~benchmark();

  // n is the number of iterations a body that does not use loop() must do: for (std::int64_t i = 0;
  // i < b.n; ++i). Such a body is called several times, with growing n. Inside a loop() n is 0;
  // after it, what was done.
  std::int64_t n = 0;

  // loop says whether to do another iteration. The first call resets the timer, the last one
  // (false) stops it: what stands before and after the loop is run once and not timed. The body may
  // not leave the loop early (it fails then). Panics: the timer is stopped (caller's bug).   Cost:
  // under 1 ns; no allocation.
  [[nodiscard, gnu::always_inline]] bool loop() {
    asm volatile("");  // an empty body is still run: the compiler may not add the turns up
    if (loop_turn_ < loop_target_) [[likely]] {
      ++loop_turn_;
      return true;
    }
    return loop_slow();
  }

  // reset_timer forgets the time, the allocations and the metrics so far; the timer goes on if it
  // was on.
  void reset_timer();
  // stop_timer and start_timer leave something out of the measure. Cost: about 50 ns for the pair.
  void stop_timer();
  void start_timer();
  // elapsed is the time measured so far.
  [[nodiscard]] std::chrono::nanoseconds elapsed() const;

  // set_bytes says how many bytes one iteration handles; adds MB/s to the result.
  void set_bytes(std::int64_t bytes);
  // report_metric adds "value unit" to the result, or replaces a built-in one; ("ns/op", 0) leaves
  // that out. Panics: unit is empty or holds a blank (caller's bug).
  void report_metric(double value, std::string_view unit);
  // report_allocs adds B/op and allocs/op, as -benchmem does: memory taken by the whole process
  // (malloc and all that stands on it) while the timer was on. Sanitizer builds count nothing and
  // leave both out.
  void report_allocs();

  // run measures body as the sub-benchmark name/sub. A benchmark that calls run is not measured
  // itself. Returns false when a sub-benchmark failed.
  bool run(std::string_view sub, std::function<void(benchmark&)> body);

  // run_parallel starts max_procs * parallelism goroutines that share the n iterations, and waits
  // for them.
  //   b.run_parallel([&](bench::parallel& turns) { while (turns.next()) mu.lock(), mu.unlock(); });
  // Blocks: parks the goroutine. The body must go on until next() is false (the benchmark fails
  // otherwise).
  void run_parallel(std::function<void(parallel&)> body);
  // set_parallelism sets how many goroutines per processor run_parallel starts; 1 unless set.
  void set_parallelism(int goroutines_per_processor);

  // fail ends the benchmark without a result, once the body returns; the program ends with
  // status 1.
  template <class... Args>
  void fail(fmt::format_string<Args...> text, Args&&... args) {
    fail_with(fmt::format(text, std::forward<Args>(args)...));
  }
  // skip ends the benchmark without a result, once the body returns; not a failure.
  template <class... Args>
  void skip(fmt::format_string<Args...> text, Args&&... args) {
    skip_with(fmt::format(text, std::forward<Args>(args)...));
  }
  // log writes a line to stderr, after the name of the benchmark; shown with -v or when the
  // benchmark fails.
  template <class... Args>
  void log(fmt::format_string<Args...> text, Args&&... args) {
    log_line(fmt::format(text, std::forward<Args>(args)...));
  }
  [[nodiscard]] bool failed() const;
  [[nodiscard]] std::string const& name() const;

 private:
  friend class runner;
  struct state;
  explicit benchmark(std::unique_ptr<state> own);
  [[nodiscard]] bool loop_slow();
  void fail_with(std::string text);
  void skip_with(std::string text);
  void log_line(std::string text);

  std::uint64_t loop_turn_ = 0;
  std::uint64_t loop_target_ = 0;
  std::unique_ptr<state> state_;
};

// registration puts a benchmark on the program's list; made by VOLE_BENCH before main, in the order
// of the source.
struct registration {
  registration(std::string_view snake_name, void (*body)(benchmark&));

  std::string name;  // "ChanSend"
  void (*body)(benchmark&);
  registration* next = nullptr;
};

// main reads Go's flags (-bench, -benchtime, -count, -cpu, -benchmem, -list, -v), runs the
// benchmarks of the program in a runtime and returns the exit status: 0 all well, 1 a benchmark
// failed, 2 the flags are wrong.
int main(int argc, char** argv);

}  // namespace vole::bench

// VOLE_BENCH(snake_name) { ... } defines a benchmark; the body sees `b`, a vole::bench::benchmark&.
// It is printed in Go's spelling: chan_send is BenchmarkChanSend.
#define VOLE_BENCH(snake_name)                                                                    \
  static void vole_bench_body_##snake_name(::vole::bench::benchmark& b);                          \
  static ::vole::bench::registration vole_bench_entry_##snake_name{#snake_name,                   \
                                                                   vole_bench_body_##snake_name}; \
  static void vole_bench_body_##snake_name([[maybe_unused]] ::vole::bench::benchmark& b)
