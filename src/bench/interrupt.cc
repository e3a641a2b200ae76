// SPDX-License-Identifier: Apache-2.0
//
// Handlers of SIGINT, SIGTERM and SIGALRM. Signals are the process's, and so is what stands here.
//
// INVARIANTS
//   - The text that a words points to is not changed any more: set writes into the other buffer and
//     then turns the pointer round.
// LOCKS none: handlers take none. ORDERING a words is released by set and acquired by the handler;
//   the rest is single words, relaxed.

#include "bench/interrupt.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <sys/time.h>
#include <unistd.h>

#include "vole/internal/atomic.h"
#include "vole/internal/clock.h"

namespace vole::bench::interrupt {
namespace {

constexpr std::size_t text_max = 1024;

// words is a text for the handlers. One goroutine sets it.
class words {
 public:
  void set(std::string_view text) {
    // relaxed, no partner: only this goroutine sets it.
    char* const next =
        now_.load(internal::memory_order_relaxed) == texts_[0] ? texts_[1] : texts_[0];
    next[text.copy(next, text_max - 1)] = '\0';
    now_.store(next, internal::memory_order_release);  // pairs with interrupt.cc:get
  }
  char const* get() const {
    return now_.load(internal::memory_order_acquire);  // pairs with interrupt.cc:set
  }

 private:
  char texts_[2][text_max] = {};
  internal::atomic<char const*> now_{texts_[0]};
};

constinit words doing;
constinit words known;
constinit words event;
constinit std::int64_t event_begun_ns = 0;  // set before the handlers are there
constinit internal::atomic<bool> event_written{false};
constinit internal::atomic<bool> in_line{false};
constinit internal::atomic<pid_t> child_pid{0};
constinit internal::atomic<int> received{0};
constinit internal::atomic<bool> held{false};
constinit internal::atomic<bool> then_end{false};

void say(int fd, char const* text) {
  std::size_t left = std::strlen(text);
  while (left > 0) {
    ssize_t const done = write(fd, text, left);
    if (done <= 0) return;
    text += done;
    left -= static_cast<std::size_t>(done);
  }
}

// event_line puts together what fmt would, which a handler may not call.
class event_line {
 public:
  void add(char const* text) {
    while (*text != '\0' && size_ + 1 < sizeof text_) text_[size_++] = *text++;
  }
  void add(std::int64_t number, int digits) {
    char reversed[24];
    int count = 0;
    for (; count < digits || number > 0; number /= 10) {
      reversed[count++] = static_cast<char>('0' + number % 10);
    }
    while (count > 0 && size_ + 1 < sizeof text_) text_[size_++] = reversed[--count];
  }
  char const* text() {
    text_[size_] = '\0';
    return text_;
  }

 private:
  char text_[text_max + 128];
  std::size_t size_ = 0;
};

void write_event() {
  if (*event.get() == '\0') return;
  // relaxed, no partner: a single word.
  if (event_written.exchange(true, internal::memory_order_relaxed)) return;
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  std::chrono::year_month_day const day(
      std::chrono::sys_days(std::chrono::days(now.tv_sec / 86'400)));
  std::int64_t const second = now.tv_sec % 86'400;
  std::int64_t const ms =
      (internal::monotonic_now().time_since_epoch().count() - event_begun_ns) / 1'000'000;
  event_line line;
  struct part {
    char const* before;
    std::int64_t number;
    int digits;
  };
  for (part const& p :
       {part{"{\"Time\":\"", int{day.year()}, 4}, part{"-", unsigned{day.month()}, 2},
        part{"-", unsigned{day.day()}, 2}, part{"T", second / 3'600, 2},
        part{":", second / 60 % 60, 2}, part{":", second % 60, 2}, part{".", now.tv_nsec, 9}}) {
    line.add(p.before);
    line.add(p.number, p.digits);
  }
  line.add("Z\",");
  line.add(event.get());
  line.add(",\"Elapsed\":");
  line.add(ms / 1'000, 1);
  line.add(".");
  line.add(ms % 1'000, 3);
  line.add("}\n");
  say(STDOUT_FILENO, line.text());
}

// Ends the open line, so that what is complete can be read by benchstat.
void say_where(char const* what) {
  // relaxed, no partner: a single word.
  if (in_line.load(internal::memory_order_relaxed)) say(STDOUT_FILENO, "\n");
  write_event();
  if (isatty(STDERR_FILENO) != 0) say(STDERR_FILENO, "\r\x1b[K");
  say(STDERR_FILENO, what);
  say(STDERR_FILENO, doing.get());
  say(STDERR_FILENO, "\n");
  say(STDERR_FILENO, known.get());
}

void on_end(int signal) {
  // relaxed, no partner: single words.
  received.store(signal, internal::memory_order_relaxed);
  if (pid_t const child = child_pid.load(internal::memory_order_relaxed); child > 0) {
    kill(child, signal);
    return;  // the parent's wait ends with the child's
  }
  if (held.load(internal::memory_order_relaxed)) return;  // relaxed, no partner: a single word
  say_where(signal == SIGINT ? "interrupted in " : "terminated in ");
  _exit(128 + signal);
}

constexpr int timeout_status = 2;

void on_alarm(int) {
  say_where("panic: the time of -timeout is out, in ");
  // relaxed, no partner: a single word.
  if (then_end.load(internal::memory_order_relaxed)) _exit(timeout_status);
  kill(getpid(), SIGQUIT);  // the runtime's dump of the goroutines, and timeout_status
}

void handle(int signal, void (*handler)(int)) {
  struct sigaction wanted{};
  wanted.sa_handler = handler;
  wanted.sa_flags = SA_RESTART | SA_ONSTACK;
  sigaction(signal, &wanted, nullptr);
}

}  // namespace

void watch(std::chrono::nanoseconds timeout, at_timeout then) {
  // relaxed, no partner: before the handler is there.
  then_end.store(then == at_timeout::end, internal::memory_order_relaxed);
  handle(SIGINT, on_end);
  handle(SIGTERM, on_end);
  if (timeout.count() <= 0) return;
  handle(SIGALRM, on_alarm);
  auto const us = std::max<std::int64_t>(timeout.count() / 1'000, 1);
  itimerval const when{.it_interval = {}, .it_value = {us / 1'000'000, us % 1'000'000}};
  setitimer(ITIMER_REAL, &when, nullptr);
}

void now_doing(std::string_view text) {
  doing.set(text);
}

void so_far(std::string_view text) {
  known.set(text);
}

void last_event(std::string_view members) {
  event_begun_ns = internal::monotonic_now().time_since_epoch().count();
  event.set(members);
}

bool last_event_written() {
  return event_written.load(internal::memory_order_relaxed);  // relaxed, no partner: a single word
}

void line_open(bool open) {
  in_line.store(open, internal::memory_order_relaxed);  // relaxed, no partner: a single word
}

void hold() {
  held.store(true, internal::memory_order_relaxed);  // relaxed, no partner: a single word
}

void watch_child(pid_t child) {
  child_pid.store(child, internal::memory_order_relaxed);  // relaxed, no partner: a single word
  int const before = ended_by();
  if (child > 0 && before != 0) kill(child, before);
}

int ended_by() {
  return received.load(internal::memory_order_relaxed);  // relaxed, no partner: a single word
}

}  // namespace vole::bench::interrupt
