// SPDX-License-Identifier: Apache-2.0
// What the kernel and the scheduler know about this process. One snapshot is taken per scrape,
// before the callbacks, which all run in that scrape; so it needs no lock of its own.
#include <charconv>
#include <chrono>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <optional>
#include <string>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vole/internal/format.h"
#include "vole/metrics.h"
#include "vole/runtime.h"

namespace vole::metrics {
namespace {

// read_proc reads a file of /proc; "" when there is none.
std::string read_proc(char const* path) {
  int const fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  std::string text;
  char part[4096];
  for (;;) {
    ssize_t const n = ::read(fd, part, sizeof part);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    text.append(part, static_cast<std::size_t>(n));
  }
  ::close(fd);
  return text;
}

// word returns the i-th blank-separated word of text, as a number; 0 when it is none.
double number_at(std::string_view text, std::size_t i) {
  for (std::size_t at = 0;; ++at) {
    text.remove_prefix(std::min(text.find_first_not_of(" \n"), text.size()));
    auto const end = std::min(text.find_first_of(" \n"), text.size());
    if (at == i) {
      double value = 0;
      std::from_chars(text.data(), text.data() + end, value);
      return value;
    }
    if (end == text.size()) return 0;
    text.remove_prefix(end);
  }
}

double seconds(timeval const& t) {
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
}

// open_fds asks the size of /proc/self/fd, which Linux 6.2 and later fill in, else counts the
// entries.
double open_fds() {
  struct stat at{};
  if (::stat("/proc/self/fd", &at) == 0 && at.st_size > 0) return static_cast<double>(at.st_size);
  DIR* const dir = ::opendir("/proc/self/fd");
  if (dir == nullptr) return 0;
  int count = 0;
  while (::readdir(dir) != nullptr) ++count;
  ::closedir(dir);
  return count - 3;  // ".", ".." and the directory itself
}

double max_fds() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  return static_cast<double>(limit.rlim_cur);
}

// The words of /proc/self/stat behind the command's name, which may itself hold blanks and
// brackets.
std::string_view stat_fields(std::string_view stat) {
  auto const end = stat.rfind(") ");
  return end == std::string_view::npos ? std::string_view() : stat.substr(end + 2);
}

// start_time: field 22 of stat is in clock ticks after boot, btime in seconds since the epoch.
double start_time() {
  std::string const self = read_proc("/proc/self/stat");
  std::string const all = read_proc("/proc/stat");
  auto const at = all.find("btime ");
  if (at == std::string::npos) return 0;
  constexpr std::size_t start_field = 22 - 3;  // the first of stat_fields is number 3
  return number_at(all.substr(at), 1) +
         number_at(stat_fields(self), start_field) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

struct process_snapshot {
  double cpu_seconds = 0;
  double resident_bytes = 0;
  double virtual_bytes = 0;
  double threads = 0;
  double fds = 0;

  void take() {
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    cpu_seconds = seconds(used.ru_utime) + seconds(used.ru_stime);
    auto const page_bytes = static_cast<double>(::sysconf(_SC_PAGESIZE));
    std::string const statm = read_proc("/proc/self/statm");
    virtual_bytes = number_at(statm, 0) * page_bytes;
    resident_bytes = number_at(statm, 1) * page_bytes;
    constexpr std::size_t threads_field = 20 - 3;
    threads = number_at(stat_fields(read_proc("/proc/self/stat")), threads_field);
    fds = open_fds();
  }
};

struct metric {
  callback_type type;
  char const* name;
  char const* help;
  double (*read)(runtime::stats const& of);
};
constexpr metric runtime_metrics[] = {
    {callback_type::gauge, "vole_goroutines", "Goroutines alive, parked ones included.",
     [](auto const& s) { return static_cast<double>(s.goroutines_live); }},
    {callback_type::gauge, "vole_goroutines_running", "Goroutines that have a processor.",
     [](auto const& s) { return static_cast<double>(s.goroutines_running); }},
    {callback_type::gauge, "vole_goroutines_parked", "Goroutines that wait for something.",
     [](auto const& s) { return static_cast<double>(s.goroutines_parked); }},
    {callback_type::counter, "vole_goroutines_created_total", "Goroutines started.",
     [](auto const& s) { return static_cast<double>(s.goroutines_created_total); }},
    {callback_type::gauge, "vole_goroutines_runnable", "Goroutines waiting for a processor.",
     [](auto const& s) { return static_cast<double>(s.runnable); }},
    {callback_type::gauge, "vole_run_queue_global", "Goroutines in the global run queue.",
     [](auto const& s) { return static_cast<double>(s.runnable_global); }},
    {callback_type::gauge, "vole_run_queue_longest",
     "Goroutines in the longest run queue of a processor.",
     [](auto const& s) { return static_cast<double>(s.runnable_longest); }},
    {callback_type::gauge, "vole_run_queue_background",
     "Background goroutines waiting for a processor.",
     [](auto const& s) { return static_cast<double>(s.runnable_background); }},
    {callback_type::counter, "vole_background_turns_total",
     "Times a worker ran a background goroutine.",
     [](auto const& s) { return static_cast<double>(s.background_turns_total); }},
    {callback_type::gauge, "vole_threads", "Worker threads that exist.",
     [](auto const& s) { return static_cast<double>(s.threads); }},
    {callback_type::gauge, "vole_threads_idle", "Worker threads without work.",
     [](auto const& s) { return static_cast<double>(s.threads_idle); }},
    {callback_type::gauge, "vole_threads_spinning", "Worker threads that look for work.",
     [](auto const& s) { return static_cast<double>(s.threads_spinning); }},
    {callback_type::gauge, "vole_threads_max", "Bound of the worker threads.",
     [](auto const& s) { return static_cast<double>(s.threads_max); }},
    {callback_type::gauge, "vole_threads_unprofiled",
     "Threads for which the last CPU profile got no timer.",
     [](auto const& s) { return static_cast<double>(s.threads_unprofiled); }},
    {callback_type::gauge, "vole_processors", "Processors, spare ones included.",
     [](auto const& s) { return static_cast<double>(s.processors); }},
    {callback_type::gauge, "vole_processors_idle", "Processors without work.",
     [](auto const& s) { return static_cast<double>(s.processors_idle); }},
    {callback_type::gauge, "vole_processors_spare", "Processors added while a worker is stuck.",
     [](auto const& s) { return static_cast<double>(s.processors_spare); }},
    {callback_type::gauge, "vole_blocking_calls", "Goroutines inside blocking().",
     [](auto const& s) { return static_cast<double>(s.blocking_calls); }},
    {callback_type::counter, "vole_schedules_total", "Times a goroutine was given a processor.",
     [](auto const& s) { return static_cast<double>(s.schedules_total); }},
    {callback_type::counter, "vole_parks_total", "Times a goroutine waited for something.",
     [](auto const& s) { return static_cast<double>(s.parks_total); }},
    {callback_type::counter, "vole_yields_total", "Times a goroutine let the others go first.",
     [](auto const& s) { return static_cast<double>(s.yields_total); }},
    {callback_type::counter, "vole_stalls_total",
     "Times a goroutine was found to keep its processor: a call that blocks, or a loop.",
     [](auto const& s) { return static_cast<double>(s.stalls_total); }},
    {callback_type::counter, "vole_steals_total",
     "Goroutines taken from another processor's run queue.",
     [](auto const& s) { return static_cast<double>(s.steals_total); }},
    {callback_type::counter, "vole_handoffs_total", "Processors handed over from a blocked worker.",
     [](auto const& s) { return static_cast<double>(s.handoffs_total); }},
    {callback_type::gauge, "vole_timers", "Timers armed.",
     [](auto const& s) { return static_cast<double>(s.timers); }},
    {callback_type::gauge, "vole_stacks_in_use", "Stacks of goroutines, and those cached.",
     [](auto const& s) { return static_cast<double>(s.stacks_in_use); }},
    {callback_type::counter, "vole_stacks_scavenged_total", "Stacks whose memory was given back.",
     [](auto const& s) { return static_cast<double>(s.stacks_scavenged_total); }},
    {callback_type::gauge, "vole_stack_high_water_bytes",
     "Deepest use of a stack among those looked at, one in 1,024 that end.",
     [](auto const& s) { return static_cast<double>(s.stack_bytes_high_water); }},
    {callback_type::gauge, "vole_stacks_pooled", "Stacks kept for the next goroutine.",
     [](auto const& s) { return static_cast<double>(s.stacks_pooled); }},
    {callback_type::gauge, "vole_stack_reserved_bytes", "Address space reserved for stacks.",
     [](auto const& s) { return static_cast<double>(s.stack_bytes_reserved); }},
    {callback_type::gauge, "vole_stacks_unguarded", "Stacks without a guard page.",
     [](auto const& s) { return static_cast<double>(s.stacks_unguarded); }},
};

}  // namespace

void add_process(registry& to) {
  auto const now = std::make_shared<process_snapshot>();
  to.on_scrape([now] { now->take(); });
  to.counter_func("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.",
                  [now] { return now->cpu_seconds; });
  to.gauge_func("process_resident_memory_bytes", "Resident memory size in bytes.",
                [now] { return now->resident_bytes; });
  to.gauge_func("process_virtual_memory_bytes", "Virtual memory size in bytes.",
                [now] { return now->virtual_bytes; });
  to.gauge_func("process_open_fds", "Number of open file descriptors.", [now] { return now->fds; });
  to.gauge_func("process_max_fds", "Maximum number of open file descriptors.", max_fds);
  to.gauge_func("process_threads", "Number of threads of the process.",
                [now] { return now->threads; });
  to.gauge_func("process_start_time_seconds",
                "Start time of the process since the unix epoch in seconds.",
                [at = start_time()] { return at; });
}

static void add_scheduling_latency(registry& to) {
  using histogram = runtime::latency_histogram;
  std::vector<double> bounds;
  for (std::size_t i = 0; i + 1 < histogram().counts.size(); ++i) {
    bounds.push_back(std::chrono::duration<double>(histogram::bound(i)).count());
  }
  to.histogram_func("vole_scheduling_latency_seconds",
                    "How long a goroutine waited for a processor; one schedule in 64 is timed.",
                    bounds, [] {
                      auto const now = runtime::scheduling_latency();
                      return histogram_counts{{now.counts.begin(), now.counts.end()},
                                              std::chrono::duration<double>(now.sum).count()};
                    });
}

void add_runtime(registry& to) {
  auto const now = std::make_shared<runtime::stats>();
  to.on_scrape([now] { *now = runtime::read_stats(); });
  for (auto const& m : runtime_metrics) {
    to.callback(m.type, m.name, m.help, {}, [now, read = m.read] { return read(*now); });
  }
  add_scheduling_latency(to);
  to.gauge_func("vole_max_procs", "Goroutines that may run at the same time.",
                [] { return static_cast<double>(runtime::max_procs()); });
}

}  // namespace vole::metrics
