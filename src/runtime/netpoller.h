// SPDX-License-Identifier: Apache-2.0
#pragma once
// Readiness of descriptors, by edge-triggered epoll: try the system call, and on EAGAIN wait here.

#include <cstdint>

#include "vole/internal/hangup_hook.h"
#include "vole/internal/park.h"

#include "runtime/timer.h"

namespace vole::internal {

enum class poll_mode : std::uint8_t { read, write };
enum class poll_result : std::uint8_t { ready, deadline, canceled, closed };

// poll_handle is the place where goroutines wait for one descriptor: one reader and one writer at a
// time.
// Its memory is pooled and never unmapped, since the kernel may still report a descriptor that was
// just closed.
class poll_handle {
 public:
  // open registers fd, which must be non-blocking. Returns 0 or an errno (EPERM: a regular file
  // cannot be polled).
  [[nodiscard]] static int open(int fd, poll_handle** out) noexcept;

  // close ends every wait with poll_result::closed and unregisters; afterwards the owner closes the
  // descriptor.
  // Neither this handle nor its fd may be used again once all waits have returned and release() was
  // called.
  void close() noexcept;

  // release gives the handle back. After close(), once no goroutine can be inside wait() or
  // set_deadline().
  void release() noexcept;

  // wait returns ready at once when an edge has come since the last wait (and uses it up), else
  // parks.
  // Ready is a hint: the system call may still say EAGAIN, then wait again.
  // Panics: two goroutines wait for the same mode (caller's bug).
  poll_result wait(poll_mode mode, park_limit const& limit = {}) noexcept;

  // next_edge_is_new uses up an edge that has come since the last wait. True: there was none, and
  // no poll is under way that may have fetched one already, so the next tells of what comes later.
  // A worker that waits for descriptors is a poll under way: it is true while all are busy.
  bool next_edge_is_new(poll_mode mode) noexcept;

  // set_deadline bounds every wait of this mode, also one that is parked now; never lifts it; a
  // past time ends
  // waits at once. Cost: moving a deadline later, as a server does per request, touches no timer.
  void set_deadline(poll_mode mode, time_point deadline) noexcept;

  // rearm forgets nothing and asks the kernel to report the present readiness again: for foreign
  // libraries
  // that read without draining to EAGAIN. Returns 0 or an errno.
  [[nodiscard]] int rearm() noexcept;

  // hangup is raised once the peer has closed, reset or half-closed (EPOLLRDHUP, EPOLLHUP,
  // EPOLLERR), before the
  // edge that reports it is posted; whoever waits for that alone arms a hook there.
  hangup_cell& hangup() noexcept { return hangup_; }

  int fd() const noexcept { return fd_; }

 private:
  friend class netpoller;

  struct side : timer_node {
    poll_handle* owner = nullptr;
    park_ticket* waiter = nullptr;
    bool ready = false;    // an edge came that no wait has used up
    bool expired = false;  // the deadline has passed
    time_point deadline = never;
    time_point armed_at = never;  // when the timer will look; at or before the deadline
  };

  static time_point on_timer(timer_node* node, time_point now) noexcept;
  void post(side& s, wake_reason reason) noexcept;
  void on_event(std::uint32_t events, std::uint32_t sequence) noexcept;
  side& of(poll_mode mode) noexcept { return mode == poll_mode::read ? read_ : write_; }

  raw_mutex mu_;  // guards all below; below the timer heap's lock, above the scheduler's
  int fd_ = -1;
  std::uint32_t sequence_ = 0;  // one per open: an event of an earlier descriptor is dropped
  bool closed_ = true;
  side read_;
  side write_;
  hangup_cell hangup_;  // its own synchronisation; raised under mu_, fired after it
  poll_handle* next_free_ = nullptr;
};

}  // namespace vole::internal
