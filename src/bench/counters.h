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
  [[nodiscard]] std::uint64_t read() const;

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
  using values = std::array<std::uint64_t, how_many>;

  // open begins to count what the kernel lets us. Called when the threads of the runtime exist.
  void open();
  // available says of each whether it is counted; page faults and context switches always are.
  [[nodiscard]] bool available(which one) const;
  [[nodiscard]] values read() const;
  // complaint says what is missing, why and what helps; empty when all is there.
  [[nodiscard]] std::string complaint() const;

  // unit_of(instructions) is "instructions/op".
  static std::string_view unit_of(which one);

 private:
  static constexpr std::size_t perf_events = page_faults;  // the first so many
  std::array<perf_counter, perf_events> events_;
  int hardware_errno_ = 0;
  std::string syscalls_reason_;
};

}  // namespace vole::bench
