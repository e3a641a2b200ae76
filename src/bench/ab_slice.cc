// SPDX-License-Identifier: Apache-2.0
// One flag is shared with a signal handler; it only ever becomes set.
#include "bench/ab_slice.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <linux/perf_event.h>
#include <optional>
#include <poll.h>
#include <sstream>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

#include "vole/internal/clock.h"
#include "vole/internal/format.h"

#include "base/sys_error.h"

namespace vole::ab {
namespace {

volatile std::sig_atomic_t stop_wanted = 0;

// An open file that closes itself.
class descriptor {
 public:
  descriptor() = default;
  explicit descriptor(int fd) : fd_(fd) {}
  descriptor(descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  descriptor& operator=(descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_ = -1;
};

error system_failure(std::string_view what) {
  return errors::make("{}: {}", what, internal::sys_error_text(errno));
}

std::string all_of(int fd) {
  std::string text;
  std::array<char, 1 << 14> part{};
  while (true) {
    ssize_t const bytes = ::pread(fd, part.data(), part.size(), static_cast<off_t>(text.size()));
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes <= 0) return text;
    text.append(part.data(), static_cast<std::size_t>(bytes));
  }
}

// Where a child's output goes, its migrations are counted, and how it is held back until all of
// that is ready.
struct channels {
  descriptor output{::memfd_create("output", MFD_CLOEXEC)};
  descriptor errors{::memfd_create("errors", MFD_CLOEXEC)};
  std::array<descriptor, 2> gate;     // the child begins when its other end closes
  std::array<descriptor, 2> failure;  // the child's errno, if it cannot become the program
};

error open_pipe(std::array<descriptor, 2>& ends) {
  std::array<int, 2> fds{};
  if (::pipe2(fds.data(), O_CLOEXEC) != 0) return system_failure("open a pipe");
  ends = {descriptor(fds[0]), descriptor(fds[1])};
  return nullptr;
}

// In the child: becomes the program. Never returns.
[[noreturn]] void become(command const& what, std::vector<char*>& argv, channels const& with) {
  ::setpgid(0, 0);
  ::close(with.gate[1].get());
  char go = 0;
  while (::read(with.gate[0].get(), &go, 1) < 0 && errno == EINTR) {
  }
  int const nothing = ::open("/dev/null", O_RDONLY);
  ::dup2(nothing, STDIN_FILENO);
  ::dup2(with.output.get(), STDOUT_FILENO);
  ::dup2(with.errors.get(), STDERR_FILENO);
  if (what.folder.empty() || ::chdir(what.folder.c_str()) == 0) {
    ::execv(what.path.c_str(), argv.data());
  }
  int const code = errno;
  static_cast<void>(!::write(with.failure[1].get(), &code, sizeof code));
  ::_exit(127);
}

descriptor count_migrations(pid_t child) {
  perf_event_attr which{};
  which.size = sizeof which;
  which.type = PERF_TYPE_SOFTWARE;
  which.config = PERF_COUNT_SW_CPU_MIGRATIONS;
  which.inherit = 1;
  which.disabled = 1;
  which.enable_on_exec = 1;
  which.exclude_hv = 1;
  return descriptor(static_cast<int>(
      ::syscall(SYS_perf_event_open, &which, child, -1, -1, PERF_FLAG_FD_CLOEXEC)));
}

// held_signals keeps SIGINT and SIGTERM back while it lives, so that none comes between the look at
// stop_wanted and the wait.
class held_signals {
 public:
  held_signals() {
    sigset_t both;
    ::sigemptyset(&both);
    ::sigaddset(&both, SIGINT);
    ::sigaddset(&both, SIGTERM);
    ::sigprocmask(SIG_BLOCK, &both, &before_);
  }
  ~held_signals() { ::sigprocmask(SIG_SETMASK, &before_, nullptr); }
  held_signals(held_signals const&) = delete;
  held_signals& operator=(held_signals const&) = delete;

  // wait_readable is poll() with the signals let through. Gives the answer of poll.
  int wait_readable(int fd, std::chrono::nanoseconds at_most) const {
    auto const whole = std::chrono::floor<std::chrono::seconds>(at_most);
    timespec const limit{whole.count(), (at_most - whole).count()};
    pollfd wanted{fd, POLLIN, 0};
    return ::ppoll(&wanted, 1, &limit, &before_);
  }

 private:
  sigset_t before_{};
};

// Waits until the child has ended, too long has passed, or somebody pressed ctrl-C.
error wait_for(pid_t child, command const& what, int& status, rusage& used) {
  descriptor const end(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
  time_point const deadline = internal::now() + what.at_most;
  error failure;
  held_signals const held;
  while (!failure) {
    if (stop_wanted != 0 && !what.cleans_up) {
      failure = errors::make("interrupted");
      break;
    }
    std::chrono::nanoseconds const left = deadline - internal::now();
    int const ready = held.wait_readable(end.get(), std::max(left, std::chrono::nanoseconds(0)));
    if (ready > 0) break;
    if (ready == 0) failure = errors::make("still running after {} s", what.at_most.count());
    if (ready < 0 && errno != EINTR) failure = system_failure("wait for a program");
  }
  if (failure) ::kill(-child, SIGKILL);
  while (::wait4(child, &status, 0, &used) < 0 && errno == EINTR) {
  }
  return failure;
}

double seconds(timeval const& t) {
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
}

std::int64_t number_in(std::string const& path) {
  std::ifstream file(path);
  std::int64_t number = 0;
  file >> number;
  return number;
}

// The file with the quota's counters of our control group, if there is one.
std::string find_quota_file() {
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    auto const last = line.rfind(':');
    auto const first = line.find(':');
    if (first == std::string::npos || last == first) continue;
    std::string const controllers = line.substr(first + 1, last - first - 1);
    bool const unified = controllers.empty();
    if (!unified && (',' + controllers + ',').find(",cpu,") == std::string::npos) continue;
    std::string const root = unified ? "/sys/fs/cgroup" : "/sys/fs/cgroup/cpu";
    std::string const file = root + line.substr(last + 1) + "/cpu.stat";
    if (std::filesystem::exists(file)) return file;
  }
  return {};
}

}  // namespace

void listen_for_interrupts() {
  struct sigaction how{};
  how.sa_handler = [](int) { stop_wanted = 1; };
  ::sigaction(SIGINT, &how, nullptr);
  ::sigaction(SIGTERM, &how, nullptr);
}

bool interrupted() {
  return stop_wanted != 0;
}

meter::meter() : quota_file_(find_quota_file()) {
  std::error_code none;
  for (auto const& cpu : std::filesystem::directory_iterator("/sys/devices/system/cpu", none)) {
    auto const file = cpu.path() / "thermal_throttle" / "core_throttle_count";
    if (std::filesystem::exists(file, none)) throttle_files_.push_back(file);
  }
  descriptor const probe = count_migrations(::getpid());
  if (probe.get() < 0) why_no_migrations_ = internal::sys_error_text(errno);
}

meter::reading meter::read() const {
  reading now;
  std::ifstream stat("/proc/stat");
  std::string word;
  std::array<double, 8> ticks{};  // user, nice, system, idle, iowait, irq, softirq, steal
  stat >> word;
  for (double& t : ticks) stat >> t;
  double const tick = 1.0 / static_cast<double>(::sysconf(_SC_CLK_TCK));
  now.busy_seconds = tick * (ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6]);
  now.stolen_seconds = tick * ticks[7];
  for (auto const& file : throttle_files_) now.throttles += number_in(file);
  std::ifstream quota(quota_file_);
  std::int64_t value = 0;
  while (quota >> word >> value) {
    if (word == "nr_throttled") now.throttles += value;
  }
  return now;
}

result<ended> meter::run(command const& what) {
  std::vector<std::string> words = what.words;
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  channels with;
  if (auto err = open_pipe(with.gate)) return err;
  if (auto err = open_pipe(with.failure)) return err;

  pid_t const child = ::fork();
  if (child < 0) return system_failure("fork");
  if (child == 0) become(what, argv, with);
  ::setpgid(child, child);
  descriptor const migrations = count_migrations(child);
  with.failure[1] = descriptor();
  reading const before = read();
  time_point const begun = internal::now();
  with.gate = {};

  int code = 0;
  ssize_t failed = 0;
  while ((failed = ::read(with.failure[0].get(), &code, sizeof code)) < 0 && errno == EINTR) {
  }
  int status = 0;
  rusage used{};
  error const cut_short = wait_for(child, what, status, used);
  double const wall = std::chrono::duration<double>(internal::now() - begun).count();
  reading const after = read();
  if (failed > 0) return errors::make("start {}: {}", what.path, internal::sys_error_text(code));
  if (cut_short) return errors::wrap(cut_short, "{}", what.path);

  ended done;
  done.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  done.output = all_of(with.output.get());
  done.errors = all_of(with.errors.get());
  double const own = seconds(used.ru_utime) + seconds(used.ru_stime);
  done.disturbed = {wall, after.stolen_seconds - before.stolen_seconds,
                    std::max(0.0, after.busy_seconds - before.busy_seconds - own),
                    after.throttles - before.throttles, -1};
  std::uint64_t count = 0;
  if (migrations.get() >= 0 && ::read(migrations.get(), &count, sizeof count) == sizeof count) {
    done.disturbed.migrations = static_cast<std::int64_t>(count);
  }
  return done;
}

}  // namespace vole::ab
