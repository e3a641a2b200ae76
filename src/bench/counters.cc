// SPDX-License-Identifier: Apache-2.0
//
// Counters of the kernel: perf_event_open(2) where it has them, getrusage(2) always. No shared
// state.

#include "bench/counters.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <linux/perf_event.h>
#include <string>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vole/internal/format.h"

#include "base/sys_error.h"

namespace vole::bench {
namespace {

struct hardware_event {
  counters::which slot;
  std::uint64_t config;
};
constexpr hardware_event hardware_events[] = {
    {counters::instructions, PERF_COUNT_HW_INSTRUCTIONS},
    {counters::cycles, PERF_COUNT_HW_CPU_CYCLES},
    {counters::branch_misses, PERF_COUNT_HW_BRANCH_MISSES},
};

std::vector<pid_t> threads_of_process() {
  std::vector<pid_t> threads;
  std::error_code failure;
  for (auto const& entry : std::filesystem::directory_iterator("/proc/self/task", failure)) {
    threads.push_back(static_cast<pid_t>(std::stol(entry.path().filename().string())));
  }
  return threads;
}

// syscall_event is the number of the tracepoint of every system call; nothing when tracefs does not
// show it.
bool syscall_event(std::uint64_t& id) {
  for (char const* path : {"/sys/kernel/tracing/events/raw_syscalls/sys_enter/id",
                           "/sys/kernel/debug/tracing/events/raw_syscalls/sys_enter/id"}) {
    if (std::ifstream file(path); file >> id) return true;
  }
  return false;
}

std::string cure_of(int code) {
  switch (code) {
    case EACCES:
    case EPERM:
      return "allow them with `sysctl kernel.perf_event_paranoid=1`, or run with CAP_PERFMON";
    case ENOSYS:
      return "a sandbox forbids perf_event_open; run outside it";
    default:
      return "a virtual machine without a PMU; -callgrind gives exact instruction counts";
  }
}

}  // namespace

double counted_between(reading const& from, reading const& to) {
  auto const value = static_cast<double>(to.value - from.value);
  auto const enabled = static_cast<double>(to.enabled_ns - from.enabled_ns);
  auto const running = static_cast<double>(to.running_ns - from.running_ns);
  if (enabled == running) return value;
  return running > 0 ? value * enabled / running : std::numeric_limits<double>::quiet_NaN();
}

perf_counter::~perf_counter() {
  for (int const fd : fds_) close(fd);
}

int perf_counter::open(std::uint32_t type, std::uint64_t config, bool user_only) {
  perf_event_attr wanted{};
  wanted.size = sizeof wanted;
  wanted.type = type;
  wanted.config = config;
  wanted.inherit = 1;
  wanted.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
  wanted.exclude_kernel = user_only ? 1 : 0;
  wanted.exclude_hv = 1;
  for (pid_t const thread : threads_of_process()) {
    long const fd = syscall(SYS_perf_event_open, &wanted, thread, -1, -1, PERF_FLAG_FD_CLOEXEC);
    if (fd >= 0) {
      fds_.push_back(static_cast<int>(fd));
    } else if (errno != ESRCH) {  // a thread that has just ended
      int const code = errno;
      for (int const opened : fds_) close(opened);
      fds_.clear();
      return code;
    }
  }
  return 0;
}

reading perf_counter::read() const {
  reading sum;
  for (int const fd : fds_) {
    reading one;  // as the kernel writes it, by read_format
    if (::read(fd, &one, sizeof one) != sizeof one) continue;
    sum.value += one.value;
    sum.enabled_ns += one.enabled_ns;
    sum.running_ns += one.running_ns;
  }
  return sum;
}

void counters::open() {
  for (hardware_event const& e : hardware_events) {
    int const code = events_[e.slot].open(PERF_TYPE_HARDWARE, e.config, true);
    if (code != 0) hardware_errno_ = code;
  }
  std::uint64_t id = 0;
  if (!syscall_event(id)) {
    syscalls_reason_ = "tracefs is not readable here (mount it, and run as root)";
  } else if (int const code = events_[syscalls].open(PERF_TYPE_TRACEPOINT, id, false); code != 0) {
    syscalls_reason_ = fmt::format("{} ({})", internal::sys_error_text(code), cure_of(code));
  }
}

bool counters::available(which one) const {
  return one >= perf_events || events_[one].is_open();
}

counters::readings counters::read() const {
  readings now{};
  for (std::size_t i = 0; i < perf_events; ++i) now[i] = events_[i].read();
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  now[page_faults].value = static_cast<std::uint64_t>(used.ru_minflt + used.ru_majflt);
  now[context_switches].value = static_cast<std::uint64_t>(used.ru_nvcsw + used.ru_nivcsw);
  return now;
}

counters::values counters::between(readings const& from, readings const& to) const {
  values counted{};
  for (std::size_t i = 0; i < how_many; ++i) {
    double const all = counted_between(from[i], to[i]);
    counted[i] = std::isnan(all) ? all : std::max(0.0, all - own_[i]);
  }
  return counted;
}

void counters::take_least(values& least, values const& other) {
  for (std::size_t i = 0; i < how_many; ++i) least[i] = std::fmin(least[i], other[i]);
  std::ranges::replace_if(least, [](double v) { return std::isnan(v); }, 0.0);
}

std::string counters::complaint() const {
  std::string text;
  std::string missing;
  for (hardware_event const& e : hardware_events) {
    if (available(e.slot)) continue;
    missing += missing.empty() ? "" : ", ";
    missing += unit_of(e.slot);
  }
  if (!missing.empty()) {
    text = fmt::format("no {}: {} ({})", missing, internal::sys_error_text(hardware_errno_),
                       cure_of(hardware_errno_));
  }
  if (!available(syscalls)) {
    text +=
        fmt::format("{}no {}: {}", text.empty() ? "" : "; ", unit_of(syscalls), syscalls_reason_);
  }
  return text;
}

std::string_view counters::unit_of(which one) {
  switch (one) {
    case instructions:
      return "instructions/op";
    case cycles:
      return "cycles/op";
    case branch_misses:
      return "branch-misses/op";
    case syscalls:
      return "syscalls/op";
    case page_faults:
      return "page-faults/op";
    default:
      return "context-switches/op";
  }
}

}  // namespace vole::bench
