// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the kernel counts for the whole process while a benchmark runs: -counters. One goroutine's;
// no shared state.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vole::bench {

// reading is what an event's counters show. Where there are more events than the processor has
// counters, each runs for part of the time only.
struct reading {
  std::uint64_t value = 0;
  std::uint64_t enabled_ns = 0;
  std::uint64_t running_ns = 0;
};
// counted_between is how much was counted from one reading to the other, reckoned up to the whole
// time; NaN when the counter did not run meanwhile.
double counted_between(reading const& from, reading const& to);

// perf_counter counts one event in every thread of the process, those that start later included.
class perf_counter {
 public:
  perf_counter() = default;
  perf_counter(perf_counter const&) = delete;
  perf_counter& operator=(perf_counter const&) = delete;
  ~perf_counter();

  // open begins to count. type and config are those of perf_event_open(2); user_only leaves out
  // what the kernel does for the process. Returns 0 or an errno.
  [[nodiscard]] int open(std::uint32_t type, std::uint64_t config, bool user_only);
  [[nodiscard]] bool is_open() const { return !fds_.empty(); }
  // read is the sum over all threads. Cost: a system call for each thread there was at open().
  [[nodiscard]] reading read() const;

 private:
  std::vector<int> fds_;
};

class counters {
 public:
  enum which : std::size_t {
    instructions,
    cycles,
    branch_misses,
    syscalls,
    page_faults,
    context_switches,
    how_many
  };
  using readings = std::array<reading, how_many>;
  using values = std::array<double, how_many>;

  // open begins to count what the kernel lets us. Called when the threads of the runtime exist.
  void open();
  // available says of each whether it is counted; page faults and context switches always are.
  [[nodiscard]] bool available(which one) const;
  [[nodiscard]] readings read() const;
  // between is how much was counted meanwhile, less what the harness does for it.
  [[nodiscard]] values between(readings const& from, readings const& to) const;
  // calibrate takes what is counted while nothing is done, of several times the least, for what the
  // harness does; empty_stretch counts such a stretch.
  template <class Fn>
  void calibrate(Fn empty_stretch) {
    constexpr int times = 20;
    own_ = {};
    values least = empty_stretch();
    for (int i = 1; i < times; ++i) take_least(least, empty_stretch());
    own_ = least;
  }
  // complaint says what is missing, why and what helps; empty when all is there.
  [[nodiscard]] std::string complaint() const;

  // unit_of(instructions) is "instructions/op".
  static std::string_view unit_of(which one);

 private:
  static constexpr std::size_t perf_events = page_faults;  // the first so many
  static void take_least(values& least, values const& other);

  std::array<perf_counter, perf_events> events_;
  values own_{};  // of the harness, in each stretch
  int hardware_errno_ = 0;
  std::string syscalls_reason_;
};

}  // namespace vole::bench
