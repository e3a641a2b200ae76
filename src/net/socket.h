// SPDX-License-Identifier: Apache-2.0
// socket: a non-blocking descriptor, registered with the netpoller, behind a gate.
//
// INVARIANTS
//  - The descriptor is open while anybody is inside the gate or the gate is not shut.
//  - closer_ is written between shut and the leaving of the one who shut, and read by the last to
//    leave: the gate's word orders the two.
//  - The poll handle lives as long as this object, so that a hangup hook may outlive close().
//  - Nobody else uses the object when it is destroyed.
// LOCKS  those of fd_gate and poll_handle; none is held over a system call.
#pragma once

#include "vole/context.h"
#include "vole/errors.h"
#include "vole/internal/atomic.h"

#include "net/fd_gate.h"
#include "runtime/netpoller.h"

namespace vole::internal {

class socket {
 public:
  using side = fd_gate::side;

  // register_fd gives fd to the netpoller; when that fails it closes fd and returns the errno.
  [[nodiscard]] static int register_fd(int fd, poll_handle** out);

  socket(int fd, poll_handle* handle) : fd_(fd), handle_(handle) {}
  ~socket();
  socket(socket const&) = delete;
  socket& operator=(socket const&) = delete;

  int fd() const { return fd_; }
  poll_handle& handle() { return *handle_; }
  hangup_cell& hangup() { return handle_->hangup(); }

  // wait parks until an edge comes.
  // Errors:  net::closed, ctx.err(), net::timed_out.
  error wait(side s, context const& ctx);

  void set_deadline(side s, time_point when);
  // What the deadline is now; `never` without one.
  time_point deadline(side s) const {
    return time_point(duration(deadlines_[static_cast<int>(s)].load(memory_order_relaxed)));
  }

  // close wakes all inside, who get net::closed; the last to leave closes the descriptor.
  // False: it was closed before.
  bool close();

  // The two halves of a close that returns when the descriptor is closed. begin_close wakes all
  // inside; false: it was closed before. end_close then parks until the last of them has left, so
  // it must not come from somebody inside; what they do before they leave never waits.
  [[nodiscard]] bool begin_close();
  void end_close();

 private:
  friend class socket_turn;
  friend class socket_visit;

  // left ends a stay inside the gate. It may be this object's last use.
  void left(bool last);

  int fd_;
  poll_handle* handle_;
  fd_gate gate_;
  park_ticket* closer_ = nullptr;  // who waits for the last one to leave
  // Copies for the check before a call that need not wait; relaxed, no partner: only numbers.
  atomic<duration::rep> deadlines_[2]{never.time_since_epoch().count(),
                                      never.time_since_epoch().count()};
};

// socket_turn is the turn of one side of a socket for the time of one call.
class socket_turn {
 public:
  socket_turn(socket& s, socket::side side, context const& ctx);
  ~socket_turn();
  socket_turn(socket_turn const&) = delete;
  socket_turn& operator=(socket_turn const&) = delete;

  // refusal is why the call must not begin: closed, context ended, deadline passed; or null.
  error refusal(context const& ctx) const;

 private:
  socket& socket_;
  socket::side side_;
  fd_gate::entry entry_;
};

// socket_visit keeps the descriptor open for a call that is neither a read nor a write.
class socket_visit {
 public:
  explicit socket_visit(socket& s) : socket_(s), inside_(s.gate_.enter_beside()) {}
  ~socket_visit() {
    if (inside_) socket_.left(socket_.gate_.leave_beside());
  }
  socket_visit(socket_visit const&) = delete;
  socket_visit& operator=(socket_visit const&) = delete;

  // False: the socket is closed.
  explicit operator bool() const { return inside_; }

 private:
  socket& socket_;
  bool inside_;
};

}  // namespace vole::internal
