// SPDX-License-Identifier: Apache-2.0
// Descriptors on epoll, edge-triggered.
//
// INVARIANTS
//   A descriptor is registered once, for reading and writing, from open() to close(). Each edge
//   sets side::ready or ends
//   the one wait of that side; no edge is lost: under mu_ it either finds the waiter or leaves
//   ready set.
//   A waiter is reachable only through side::waiter, under mu_; who takes it out there and wins its
//   claim finishes it.
//   poll_handle memory is never freed: an event that is still on its way finds a handle with
//   another sequence.
// LOCKS  timer_heap::mu_ < poll_handle::mu_ < scheduler::mu_. set_deadline() arms its timer after
//        it has let mu_ go.
// Source: Go runtime/netpoll.go. Differs: a deadline moved later does not touch its timer; the
// timer looks again when it fires.

#include "runtime/netpoller.h"

#include <algorithm>
#include <cerrno>
#include <limits>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "runtime/netpoll.h"
#include "runtime/scheduler.h"

namespace vole::internal {
namespace {

// While a worker collects events, what they make ready goes into its chain instead of through
// ready().
[[gnu::tls_model("initial-exec")]] constinit thread_local goroutine_chain* collecting = nullptr;

constexpr int events_per_poll = 128;

std::uint64_t pack(poll_handle* h, std::uint32_t sequence) noexcept {
  // User addresses have 47 or 48 bits: 16 bits of the sequence fit beside one.
  return reinterpret_cast<std::uint64_t>(h) | (static_cast<std::uint64_t>(sequence & 0xffff) << 48);
}

constinit atomic<bool> counts_milliseconds{false};  // the kernel lacks epoll_pwait2

// wait_for_events waits to the nanosecond where the kernel can (Linux 5.11; qemu-user 7.2 cannot),
// else for whole milliseconds: late, not early.
int wait_for_events(int epoll_fd, epoll_event* events, timespec const* timeout) noexcept {
  if (!counts_milliseconds.load(memory_order_relaxed)) {
    int const n = ::epoll_pwait2(epoll_fd, events, events_per_poll, timeout, nullptr);
    // Sandboxes older than the call answer EPERM, which it never does itself.
    if (n != -1 || (errno != ENOSYS && errno != EPERM)) return n;
    counts_milliseconds.store(true, memory_order_relaxed);
  }
  int ms = -1;
  if (timeout != nullptr) {
    constexpr std::int64_t longest = std::numeric_limits<int>::max();
    std::int64_t const whole = timeout->tv_sec > longest / 1000 ? longest : timeout->tv_sec * 1000;
    ms = static_cast<int>(std::min(longest, whole + (timeout->tv_nsec + 999'999) / 1'000'000));
  }
  return ::epoll_wait(epoll_fd, events, events_per_poll, ms);
}

}  // namespace

netpoller& the_netpoller() noexcept {
  static constinit netpoller instance;
  return instance;
}

[[gnu::noinline]] bool netpoll_collect(goroutine* g) noexcept {
  if (collecting == nullptr) return false;
  g->state.store(goroutine_state::runnable, memory_order_relaxed);
  collecting->push(g);
  return true;
}

[[gnu::noinline]] static void set_collecting(goroutine_chain* chain) noexcept {
  collecting = chain;
}

void netpoller::open() noexcept {
  epoll_fd_ = ::epoll_create1(EPOLL_CLOEXEC);
  event_fd_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  epoll_event e{};
  // Level-triggered: a poll that does not wait leaves the interrupt to the one that does.
  e.events = EPOLLIN;
  e.data.u64 = 0;
  if (epoll_fd_ == -1 || event_fd_ == -1 ||
      ::epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, event_fd_, &e) != 0) {
    panic("start runtime: no epoll or eventfd to be had: too many open files?");
  }
}

void netpoller::leave_to_parent() noexcept {
  ::close(epoll_fd_);
  ::close(event_fd_);
  epoll_fd_ = event_fd_ = -1;
}

void netpoller::interrupt() noexcept {
  if (interrupted_.exchange(true)) return;
  std::uint64_t const one = 1;
  int const saved = errno;
  [[maybe_unused]] ssize_t const n = ::write(event_fd_, &one, sizeof one);
  errno = saved;
}

time_point netpoller::poll(goroutine_chain& ready, time_point const* deadline) noexcept {
  epoll_event events[events_per_poll];
  timespec timeout{0, 0};
  timespec* wait = &timeout;
  if (deadline != nullptr) {
    if (*deadline == never) {
      wait = nullptr;
    } else if (duration const left = left_until(*deadline, internal::monotonic_now());
               left > duration::zero()) {
      timeout.tv_sec = left.count() / 1'000'000'000;
      timeout.tv_nsec = left.count() % 1'000'000'000;
    }
  }
  polls_under_way_.fetch_add(1);
  int const n = wait_for_events(epoll_fd_, events, wait);
  static_cast<void>(
      handles_.load(memory_order_acquire));  // pairs with netpoller.cc:poll_handle::open
  set_collecting(&ready);
  for (int i = 0; i < n; ++i) {
    std::uint64_t const data = events[i].data.u64;
    if (data == 0) {
      std::uint64_t count = 0;
      if (deadline != nullptr && ::read(event_fd_, &count, sizeof count) > 0)
        interrupted_.store(false);
      continue;
    }
    auto* const h = reinterpret_cast<poll_handle*>(data & 0xffff'ffff'ffffULL);
    h->on_event(events[i].events, static_cast<std::uint32_t>(data >> 48));
  }
  set_collecting(nullptr);
  polls_under_way_.fetch_sub(1);
  return internal::monotonic_now();
}

int poll_handle::open(int fd, poll_handle** out) noexcept {
  the_scheduler().start();
  netpoller& net = the_netpoller();
  poll_handle* h = nullptr;
  {
    raw_lock const lock(net.mu_);
    h = net.free_;
    if (h != nullptr) net.free_ = h->next_free_;
  }
  if (h == nullptr) h = new poll_handle;
  std::uint32_t sequence = 0;
  {
    raw_lock const lock(h->mu_);
    h->fd_ = fd;
    sequence = ++h->sequence_;
    h->closed_ = false;
    h->hangup_.reset();
    for (side* s : {&h->read_, &h->write_}) {
      s->owner = h;
      s->waiter = nullptr;
      s->ready = s->expired = false;
      s->deadline = s->armed_at = never;
      s->fire = &poll_handle::on_timer;
    }
  }
  epoll_event e{};
  e.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  e.data.u64 = pack(h, sequence);
  // The kernel hands h over to whoever polls next; this says the same in the language's terms.
  // seq_cst: pairs with netpoller.cc:netpoller::poll, worker.cc:find_runnable
  net.handles_.fetch_add(1);
  if (::epoll_ctl(net.epoll_fd_, EPOLL_CTL_ADD, fd, &e) != 0) {
    int const failure = errno;
    net.handles_.fetch_sub(1, memory_order_relaxed);
    {
      raw_lock const lock(h->mu_);
      h->closed_ = true;
    }
    h->release();
    return failure;
  }
  the_scheduler().wake_unless_caller_looks();
  *out = h;
  return 0;
}

int poll_handle::rearm() noexcept {
  epoll_event e{};
  e.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  e.data.u64 = pack(this, sequence_);
  return ::epoll_ctl(the_netpoller().epoll_fd_, EPOLL_CTL_MOD, fd_, &e) == 0 ? 0 : errno;
}

void poll_handle::close() noexcept {
  {
    raw_lock const lock(mu_);
    if (closed_) return;
    closed_ = true;
    ++sequence_;
    for (side* s : {&read_, &write_}) {
      if (park_ticket* const t = std::exchange(s->waiter, nullptr); t != nullptr && t->try_claim())
        t->finish();
    }
  }
  for (side* s : {&read_, &write_}) timer_delete(*s);
  epoll_event unused{};
  ::epoll_ctl(the_netpoller().epoll_fd_, EPOLL_CTL_DEL, fd_, &unused);
  the_netpoller().handles_.fetch_sub(1, memory_order_relaxed);
}

void poll_handle::release() noexcept {
  netpoller& net = the_netpoller();
  raw_lock const lock(net.mu_);
  next_free_ = net.free_;
  net.free_ = this;
}

poll_result poll_handle::wait(poll_mode mode, park_limit const& limit) noexcept {
  side& s = of(mode);
  park_ticket ticket;
  {
    raw_lock const lock(mu_);
    if (closed_) return poll_result::closed;
    if (s.expired) return poll_result::deadline;
    if (s.ready) {
      s.ready = false;
      return poll_result::ready;
    }
    VOLE_REQUIRE(s.waiter == nullptr, "descriptor {}: two goroutines wait to {} it at once", fd_,
                 mode == poll_mode::read ? "read" : "write");
    s.waiter = &ticket;
  }
  wake_reason const reason = ticket.park(wait_reason::io_wait, limit);
  raw_lock const lock(mu_);
  if (s.waiter == &ticket) s.waiter = nullptr;
  if (closed_) return poll_result::closed;
  if (reason == wake_reason::ready) return poll_result::ready;
  return reason == wake_reason::deadline ? poll_result::deadline : poll_result::canceled;
}

bool poll_handle::next_edge_is_new(poll_mode mode) noexcept {
  // Looked at first: what a poll that has ended brought is in `ready`.
  bool const none_fetched = the_netpoller().polls_under_way_.load() == 0;
  raw_lock const lock(mu_);
  return !std::exchange(of(mode).ready, false) && none_fetched;
}

// post ends the wait of a side, if there is one that nothing else has ended. The caller holds mu_.
void poll_handle::post(side& s, wake_reason reason) noexcept {
  park_ticket* const t = s.waiter;
  if (t != nullptr && t->try_claim(reason)) {
    s.waiter = nullptr;
    t->finish();
  } else if (reason == wake_reason::ready) {
    s.ready = true;
  }
}

void poll_handle::on_event(std::uint32_t events, std::uint32_t sequence) noexcept {
  hangup_hook* hook = nullptr;
  {
    raw_lock const lock(mu_);
    if (closed_ || (sequence_ & 0xffff) != sequence) return;
    // Before the edge: a reader that it wakes must see it.
    if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) hook = hangup_.raise();
    // An error or a hang-up ends both sides: the system call that follows says which.
    if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
      post(read_, wake_reason::ready);
    if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) post(write_, wake_reason::ready);
  }
  if (hook != nullptr) hook->fire(hook);
}

time_point poll_handle::on_timer(timer_node* node, time_point now) noexcept {
  side& s = *static_cast<side*>(node);
  poll_handle& h = *s.owner;
  raw_lock const lock(h.mu_);
  if (h.closed_) return never;
  if (s.deadline > now) {
    s.armed_at = s.deadline;  // moved later since the timer was armed
    return s.deadline;
  }
  s.armed_at = never;
  s.expired = true;
  h.post(s, wake_reason::deadline);
  return never;
}

void poll_handle::set_deadline(poll_mode mode, time_point deadline) noexcept {
  side& s = of(mode);
  bool arm = false;
  {
    raw_lock const lock(mu_);
    if (closed_) return;
    s.deadline = deadline;
    s.expired = false;
    if (deadline < s.armed_at) {
      s.armed_at = deadline;
      arm = true;
    }
  }
  if (arm) timer_advance(s, deadline);
}

}  // namespace vole::internal
