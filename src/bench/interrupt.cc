// SPDX-License-Identifier: Apache-2.0
//
// Handlers of SIGINT, SIGTERM and SIGALRM. Signals are the process's, and so is what stands here.
//
// INVARIANTS
//   - The text that `doing` points to is not changed any more: now_doing writes into the other
//     buffer and then turns the pointer round.
// LOCKS none: handlers take none. ORDERING `doing` is released by now_doing and acquired by the
//   handler; the rest is single words, relaxed.

#include "bench/interrupt.h"

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <sys/time.h>
#include <unistd.h>

#include "vole/internal/atomic.h"

namespace vole::bench::interrupt {
namespace {

constexpr std::size_t text_max = 512;
constinit char texts[2][text_max] = {};
constinit internal::atomic<char const*> doing{texts[0]};
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

// Ends the open line, so that what is complete can be read by benchstat.
void say_where(char const* what) {
  // relaxed, no partner: a single word.
  if (in_line.load(internal::memory_order_relaxed)) say(STDOUT_FILENO, "\n");
  if (isatty(STDERR_FILENO) != 0) say(STDERR_FILENO, "\r\x1b[K");
  say(STDERR_FILENO, what);
  // pairs with now_doing
  say(STDERR_FILENO, doing.load(internal::memory_order_acquire));
  say(STDERR_FILENO, "\n");
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
  // relaxed, no partner: only one goroutine sets it.
  char* const next = doing.load(internal::memory_order_relaxed) == texts[0] ? texts[1] : texts[0];
  std::size_t const length = std::min(text.size(), text_max - 1);
  std::memcpy(next, text.data(), length);
  next[length] = '\0';
  doing.store(next, internal::memory_order_release);  // pairs with say_where
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
