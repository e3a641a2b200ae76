// SPDX-License-Identifier: Apache-2.0
// No shared state.

#include "runtime/env.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <limits>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>

namespace vole::internal {
namespace {

std::string read_small_file(std::string const& path) {
  std::string text;
  int const fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd == -1) return text;
  char buffer[4096];
  ssize_t n = 0;
  while ((n = ::read(fd, buffer, sizeof buffer)) > 0)
    text.append(buffer, static_cast<std::size_t>(n));
  ::close(fd);
  return text;
}

// The path of this process in a hierarchy: the line "0::/a/b" of v2, "3:cpu,cpuacct:/a/b" of v1.
std::string cgroup_path(std::string_view table, bool v2) {
  while (!table.empty()) {
    std::size_t const end = table.find('\n');
    std::string_view const line = table.substr(0, end);
    table = end == std::string_view::npos ? std::string_view{} : table.substr(end + 1);
    std::size_t const first = line.find(':');
    std::size_t const second = line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    std::string const controllers =
        "," + std::string(line.substr(first + 1, second - first - 1)) + ",";
    bool const match =
        v2 ? line.substr(0, first) == "0" : controllers.find(",cpu,") != std::string::npos;
    if (match) return std::string(line.substr(second + 1));
  }
  return {};
}

int ceil_div(long quota, long period) {
  return quota <= 0 || period <= 0 ? 0 : static_cast<int>((quota + period - 1) / period);
}

// The tightest limit on the way from the group to the root.
template <class Read>
int tightest(std::string path, Read read) {
  int least = 0;
  while (true) {
    if (int const n = read(path); n > 0 && (least == 0 || n < least)) least = n;
    if (path.empty() || path == "/") return least;
    path.resize(path.rfind('/'));
  }
}

// The number from least to most that a variable holds; 0: not set, or not such a number, which is
// said.
long number_from_environment(char const* name, long most, long least = 1) noexcept {
  char const* const text = std::getenv(name);
  if (text == nullptr || *text == '\0') return 0;
  char* end = nullptr;
  long const n = std::strtol(text, &end, 10);
  if (*end == '\0' && n >= least && n <= most) return n;
  std::fprintf(stderr, "vole: %s is '%s': want a number from %ld to %ld; ignored\n", name, text,
               least, most);
  return 0;
}

}  // namespace

void bound_malloc_arenas(int procs) noexcept {
#ifdef M_ARENA_MAX
  char const* const tunables = std::getenv("GLIBC_TUNABLES");
  bool const decided =
      std::getenv("MALLOC_ARENA_MAX") != nullptr ||
      (tunables != nullptr && std::strstr(tunables, "glibc.malloc.arena_max") != nullptr);
  if (!decided) ::mallopt(M_ARENA_MAX, std::max(4, 2 * procs));
#endif
}

int parse_cpu_max(char const* text) noexcept {
  long quota = 0;
  long period = 0;
  if (std::sscanf(text, "%ld %ld", &quota, &period) != 2) return 0;
  return ceil_div(quota, period);
}

int cgroup_quota() noexcept {
  std::string const table = read_small_file("/proc/self/cgroup");
  int const v2 = tightest(cgroup_path(table, true), [](std::string const& path) {
    return parse_cpu_max(read_small_file("/sys/fs/cgroup" + path + "/cpu.max").c_str());
  });
  if (v2 > 0) return v2;
  return tightest(cgroup_path(table, false), [](std::string const& path) {
    std::string const base = "/sys/fs/cgroup/cpu" + path;
    return ceil_div(std::atol(read_small_file(base + "/cpu.cfs_quota_us").c_str()),
                    std::atol(read_small_file(base + "/cpu.cfs_period_us").c_str()));
  });
}

int processors_from_environment() noexcept {
  if (seed_from_environment() != 0) return 1;
  if (long const n = number_from_environment("VOLE_MAXPROCS", procs_max); n > 0) {
    return static_cast<int>(n);
  }
  int n = 1;
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof set, &set) == 0) {
    n = CPU_COUNT(&set);
  } else if (long const online = ::sysconf(_SC_NPROCESSORS_ONLN); online > 0) {
    n = static_cast<int>(online);
  }
  if (int const quota = cgroup_quota(); quota > 0 && quota < n) n = quota;
  return n > procs_max ? procs_max : n;
}

std::uint64_t seed_from_environment() noexcept {
  return static_cast<std::uint64_t>(
      number_from_environment("VOLE_SEED", std::numeric_limits<long>::max()));
}

unsigned threads_from_environment(unsigned otherwise, unsigned most) noexcept {
  long const n = number_from_environment("VOLE_MAXTHREADS", most);
  return n > 0 ? static_cast<unsigned>(n) : otherwise;
}

int dump_signal_from_environment(int otherwise) noexcept {
  long const n = number_from_environment("VOLE_DUMPSIGNAL", SIGRTMAX, SIGRTMIN);
  return n > 0 ? static_cast<int>(n) : otherwise;
}

namespace {

// set takes one setting; false: there is none of that name, or it cannot be that.
bool set(debug_settings& to, std::string_view name, long n) noexcept {
  if (name == "schedtrace" && n > 0) {
    to.schedtrace = std::chrono::milliseconds(n);
  } else if (name == "stall" && n > 0) {
    to.stall = std::chrono::milliseconds(n);
  } else if (name == "heaprate" && n >= 0) {
    to.heaprate = static_cast<std::size_t>(n);
  } else if (name == "contentionrate" && n >= 0 && n <= std::numeric_limits<int>::max()) {
    to.contentionrate = static_cast<int>(n);
  } else {
    return false;
  }
  return true;
}

}  // namespace

debug_settings parse_debug(std::string_view text) noexcept {
  debug_settings to;
  while (!text.empty()) {
    std::size_t const end = std::min(text.find(','), text.size());
    std::string_view const word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    std::size_t const equals = std::min(word.find('='), word.size());
    std::string_view const name = word.substr(0, equals);
    std::string const value(word.substr(std::min(equals + 1, word.size())));
    char* rest = nullptr;
    long const number = std::strtol(value.c_str(), &rest, 10);
    if (value.empty() || *rest != '\0' || !set(to, name, number)) {
      std::fprintf(stderr,
                   "vole: VOLE_DEBUG says '%.*s': want schedtrace=<ms>, stall=<ms>, "
                   "heaprate=<bytes> or contentionrate=<samples a second>; ignored\n",
                   static_cast<int>(word.size()), word.data());
    }
  }
  return to;
}

debug_settings debug_from_environment() noexcept {
  char const* const text = std::getenv("VOLE_DEBUG");
  return parse_debug(text == nullptr ? "" : text);
}

unsigned threads_in_process() noexcept {
  // A folder has two links, and one for each folder in it. Nothing is allocated: memory may have
  // ended.
  struct stat tasks{};
  if (::stat("/proc/self/task", &tasks) != 0 || tasks.st_nlink <= 2) return ~0u;
  return static_cast<unsigned>(tasks.st_nlink - 2);
}

}  // namespace vole::internal
