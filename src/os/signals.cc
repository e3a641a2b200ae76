// SPDX-License-Identifier: Apache-2.0
// Signals as values: the handler writes the number into a pipe; one goroutine reads it and passes
// it on.
//
// INVARIANTS
//   - listeners[s] counts the subscriptions to s; our handler is installed exactly while it is not
//     0.
//   - The reader goroutine runs while there is a subscription, and ends when it sees that there is
//     none; `reading` says whether it runs. Its poll handle is open exactly as long.
//   - The pipe is made once and never closed: a handler may be about to write at any moment.
// LOCKS  state::mu guards all of state but the pipe; it is a leaf, held over try_send and the poll
//        handle's calls.
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "vole/assert.h"
#include "vole/go.h"
#include "vole/internal/atomic.h"
#include "vole/os.h"
#include "vole/sync/mutex.h"

#include "runtime/netpoller.h"

namespace vole::os {
namespace {

constexpr std::size_t unread_max = 16;

struct subscription {
  chan<int> to;
  std::uint64_t mask;  // bit s - 1: listens to s
};

struct state {
  sync::mutex mu;
  std::vector<subscription> subscriptions VOLE_GUARDED_BY(mu);
  std::array<int, NSIG> listeners VOLE_GUARDED_BY(mu){};
  std::array<struct sigaction, NSIG> previous VOLE_GUARDED_BY(mu){};
  bool reading VOLE_GUARDED_BY(mu) = false;
  internal::poll_handle* poll VOLE_GUARDED_BY(mu) = nullptr;
  int read_end = -1;  // written once, under mu, before the first handler is installed
};

// The dispositions of signals belong to the process, and so does this. Never freed: handlers
// outlive main().
state& the_state() {
  static state* const made = new state;
  return *made;
}

// What the handler needs; written before the first handler is installed.
constinit internal::atomic<int> write_end{-1};

constexpr std::uint64_t bit_of(int signal) {
  return std::uint64_t{1} << (signal - 1);
}

void on_signal(int signal) {
  int const saved = errno;
  auto const number = static_cast<unsigned char>(signal);
  // A full pipe drops it: 65,536 of them are unread then.
  // relaxed, no partner: sigaction() ordered the store before any delivery.
  [[maybe_unused]] ssize_t const written =
      ::write(write_end.load(internal::memory_order_relaxed), &number, 1);
  errno = saved;
}

// A forked child has the pipe too: what came to the child would be the parent's news. Until exec
// its signals do what they did before somebody listened. It has one thread: no lock is needed, nor
// could it be waited for.
void forget_in_child() VOLE_NO_THREAD_SAFETY_ANALYSIS {
  for (int signal = 1; signal < NSIG; ++signal) {
    struct sigaction now{};
    bool const known = ::sigaction(signal, nullptr, &now) == 0;
    if (!known || now.sa_handler != &on_signal) continue;
    ::sigaction(signal, &the_state().previous[static_cast<std::size_t>(signal)], nullptr);
  }
}

void make_pipe(state& s) {
  int ends[2];
  VOLE_REQUIRE(::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0, "os::signals: no pipe: {}",
               std::strerror(errno));
  ::pthread_atfork(nullptr, nullptr, &forget_in_child);
  s.read_end = ends[0];
  // relaxed, no partner: sigaction() orders it before any delivery.
  write_end.store(ends[1], internal::memory_order_relaxed);
}

// pass_on hands one signal to who listens to it.
void pass_on(state& s, int signal) VOLE_REQUIRES_LOCK(s.mu) {
  for (subscription const& to : s.subscriptions) {
    if ((to.mask & bit_of(signal)) != 0) static_cast<void>(to.to.try_send(signal));
  }
}

// read_pending passes on what has come; false: nobody listens any more, and the reader has to end.
bool read_pending(state& s) {
  unsigned char numbers[64];
  ssize_t got = 0;
  while ((got = ::read(s.read_end, numbers, sizeof numbers)) > 0) {
    sync::lock_guard const lock(s.mu);
    for (ssize_t i = 0; i < got; ++i) {
      if (numbers[i] != 0) pass_on(s, numbers[i]);
    }
  }
  sync::lock_guard const lock(s.mu);
  if (!s.subscriptions.empty()) return true;
  s.poll->close();
  s.poll->release();
  s.reading = false;
  return false;
}

void read_signals(state& s, internal::poll_handle* poll) {
  while (read_pending(s)) poll->wait(internal::poll_mode::read);
}

void start_reading(state& s) VOLE_REQUIRES_LOCK(s.mu) {
  if (s.reading) return;
  if (s.read_end < 0) make_pipe(s);
  int const code = internal::poll_handle::open(s.read_end, &s.poll);
  VOLE_REQUIRE(code == 0, "os::signals: the pipe cannot be polled: {}", std::strerror(code));
  s.reading = true;
  go({.scheduling = scheduling_class::foreground}, [&s, poll = s.poll] { read_signals(s, poll); });
}

void listen(state& s, int signal) VOLE_REQUIRES_LOCK(s.mu) {
  if (s.listeners[signal]++ != 0) return;
  struct sigaction action{};
  action.sa_handler = &on_signal;
  action.sa_flags = SA_RESTART | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  VOLE_REQUIRE(::sigaction(signal, &action, &s.previous[signal]) == 0,
               "os::signals: {} cannot be caught", signal_name(signal));
}

void ignore(state& s, int signal) VOLE_REQUIRES_LOCK(s.mu) {
  if (--s.listeners[signal] == 0) ::sigaction(signal, &s.previous[signal], nullptr);
}

// subscribe returns the channel of a new subscription.
chan<int> subscribe(std::initializer_list<int> which) {
  std::uint64_t mask = 0;
  for (int const signal : which) {
    VOLE_REQUIRE(signal > 0 && signal < NSIG, "os::signals: there is no signal {}", signal);
    mask |= bit_of(signal);
  }
  chan<int> c(unread_max);
  state& s = the_state();
  sync::lock_guard const lock(s.mu);
  s.subscriptions.push_back({c, mask});
  start_reading(s);
  for (int signal = 1; signal < NSIG; ++signal) {
    if ((mask & bit_of(signal)) != 0) listen(s, signal);
  }
  return c;
}

void unsubscribe(chan<int> const& c) {
  state& s = the_state();
  {
    sync::lock_guard const lock(s.mu);
    auto const at = std::find_if(s.subscriptions.begin(), s.subscriptions.end(),
                                 [&](subscription const& one) { return one.to == c; });
    for (int signal = 1; signal < NSIG; ++signal) {
      if ((at->mask & bit_of(signal)) != 0) ignore(s, signal);
    }
    s.subscriptions.erase(at);
    if (!s.subscriptions.empty()) return;
  }
  on_signal(0);  // has the reader look, and end
}

}  // namespace

std::string signal_name(int signal) {
  char const* const name = ::sigabbrev_np(signal);
  return name == nullptr ? fmt::format("signal {}", signal) : fmt::format("SIG{}", name);
}

std::string signal_error::message() const {
  return fmt::format("received {}", signal_name(signal));
}

signals::signals(std::initializer_list<int> which) : c_(subscribe(which)) {}

signals::~signals() {
  unsubscribe(c_);
}

std::pair<context, cancel_handle> signal_context(context const& parent,
                                                 std::initializer_list<int> which) {
  // The caller's handle ends `outer`, and with it the goroutine; the signal ends `ctx`, which is
  // below.
  auto [outer, stop] = context::with_cancel(parent);
  auto [ctx, end] = context::with_cancel(outer);
  go({.scheduling = scheduling_class::foreground}, [outer = std::move(outer), end = std::move(end),
                                                    listening = std::make_unique<signals>(which)] {
    result<std::optional<int>> const received = recv(outer, listening->c());
    if (received) end(errors::make_typed<signal_error>(**received));
  });
  return {std::move(ctx), std::move(stop)};
}

}  // namespace vole::os
