// SPDX-License-Identifier: Apache-2.0
// The kernel under the scheduler in a model build: one epoll set, one eventfd, a few files that
// only become readable, memory for stacks.
//
// A call into it is one step: it takes the kernel's lock, as the real one does in effect, so what
// the caller did before is seen by who enters later. No more than that: it is no full barrier.
// Compiled without the announcements of plain accesses: what stands here is under that lock.

#include <cerrno>
#include <climits>
#include <source_location>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vole/internal/atomic.h"

#include "explorer.h"
#include "scheduler_model.h"

namespace vole::model {
namespace {

constexpr int epoll_fd = 10'000;
constexpr int event_fd = 10'001;
constexpr int first_file = 10'002;
constexpr int files_max = 4;

struct file {
  bool registered = false;
  bool readable = false;
  bool edge = false;  // not reported yet
  std::uint64_t data = 0;
};

// How often it was entered: who sleeps in epoll sleeps on this.
constinit internal::atomic<int> entered{0};
file files[files_max];
int files_used = 0;
std::uint64_t events_counted = 0;
std::uint64_t event_data = 0;

constexpr int goroutines_max = 12;
goroutine_memory memory_of[goroutines_max];
int memory_used = 0;

using source = std::source_location;

int enter(source const& where) noexcept {
  return entered.fetch_add(1, internal::memory_order_acq_rel, where) + 1;  // pairs with itself
}

int collect(epoll_event* to, int most) noexcept {
  int n = 0;
  if (events_counted != 0 && n < most) {
    to[n].events = EPOLLIN;
    to[n++].data.u64 = event_data;
  }
  for (file& f : files) {
    if (!f.registered || !f.edge || n == most) continue;
    f.edge = false;
    to[n].events = EPOLLIN;
    to[n++].data.u64 = f.data;
  }
  return n;
}

file* file_of(int fd) noexcept {
  return fd >= first_file && fd < first_file + files_used ? &files[fd - first_file] : nullptr;
}

}  // namespace

void reset_kernel() noexcept {
  for (file& f : files) f = {};
  files_used = 0;
  events_counted = 0;
  memory_used = 0;
}

goroutine_memory& memory_for_goroutine() noexcept {
  if (memory_used == goroutines_max) fail("too many goroutines");
  return memory_of[memory_used++];
}

int open_file() noexcept {
  if (files_used == files_max) fail("too many files");
  return first_file + files_used++;
}

void make_readable(int fd) noexcept {
  source const here = source::current();
  enter(here);
  file& f = *file_of(fd);
  f.readable = true;
  f.edge = f.registered;
  if (f.edge) wake(&entered, INT_MAX, here);
}

static int wait_for_events(epoll_event* events, int most, timespec const* timeout) noexcept {
  source const here = source::current();
  bool const at_once = timeout != nullptr && timeout->tv_sec == 0 && timeout->tv_nsec == 0;
  std::uint64_t const deadline =
      timeout == nullptr
          ? 0
          : clock_ns() + static_cast<std::uint64_t>(timeout->tv_sec) * 1'000'000'000 +
                static_cast<std::uint64_t>(timeout->tv_nsec);
  while (true) {
    int const seen = enter(here);
    int const n = collect(events, most);
    if (n > 0 || at_once) return n;
    if (!sleep_on({&entered, 0, sizeof(int)}, static_cast<std::uint64_t>(seen), timeout != nullptr,
                  here)) {
      clock_reaches(deadline);
      enter(here);
      return collect(events, most);
    }
  }
}

}  // namespace vole::model

// --- the calls, as the netpoller makes them

using namespace vole::model;

extern "C" {

int epoll_create1(int) noexcept {
  return epoll_fd;
}

int eventfd(unsigned, int) noexcept {
  return event_fd;
}

int epoll_ctl(int, int what, int fd, epoll_event* e) noexcept {
  if (fd == event_fd) {
    event_data = e->data.u64;
    return 0;
  }
  source const here = source::current();
  enter(here);
  file& f = *file_of(fd);
  f.registered = what == EPOLL_CTL_ADD;
  f.edge = f.registered && f.readable;
  f.data = e->data.u64;
  if (f.edge) wake(&entered, INT_MAX, here);
  return 0;
}

int epoll_pwait2(int, epoll_event* events, int most, timespec const* timeout, sigset_t const*) {
  return wait_for_events(events, most, timeout);
}

ssize_t write(int fd, void const* from, size_t bytes) {
  if (fd != event_fd) return ::syscall(SYS_write, fd, from, bytes);
  source const here = source::current();
  enter(here);
  ++events_counted;
  wake(&entered, INT_MAX, here);
  return static_cast<ssize_t>(bytes);
}

ssize_t read(int fd, void* to, size_t bytes) {
  if (fd != event_fd) return ::syscall(SYS_read, fd, to, bytes);
  enter(source::current());
  if (events_counted == 0) {
    errno = EAGAIN;
    return -1;
  }
  events_counted = 0;
  return static_cast<ssize_t>(bytes);
}

}  // extern "C"
