// SPDX-License-Identifier: Apache-2.0
// socket.h says what holds here.

#include "net/socket.h"

#include "vole/net.h"

#include "net/syscalls.h"

namespace vole::internal {

int socket::register_fd(int fd, poll_handle** out) {
  int const failure = poll_handle::open(fd, out);
  if (failure != 0) sys::close(fd);
  return failure;
}

socket::~socket() {
  close();
  handle_->release();
}

bool socket::begin_close() {
  if (!gate_.shut()) return false;
  handle_->close();
  if (hangup_hook* const hook = hangup().raise()) hook->fire(hook);
  return true;
}

bool socket::close() {
  if (!begin_close()) return false;
  left(gate_.leave_beside());
  return true;
}

void socket::end_close() {
  park_ticket others_left;
  closer_ = &others_left;
  if (gate_.leave_beside()) {
    sys::close(fd_);
  } else {
    others_left.park(wait_reason::io_wait);
  }
}

void socket::left(bool last) {
  if (!last) return;
  sys::close(fd_);
  if (closer_ != nullptr && closer_->try_claim()) closer_->finish();
}

error socket::wait(side s, context const& ctx) {
  poll_mode const mode = s == side::read ? poll_mode::read : poll_mode::write;
  switch (handle_->wait(mode, ctx)) {
    case poll_result::ready:
      return nullptr;
    case poll_result::closed:
      return net::closed;
    case poll_result::deadline:
    case poll_result::canceled:
      break;
  }
  error ended = ctx.err();
  return ended ? ended : error(net::timed_out);
}

void socket::set_deadline(side s, time_point when) {
  deadlines_[static_cast<int>(s)].store(when.time_since_epoch().count(), memory_order_relaxed);
  if (socket_visit const here(*this); here) {
    handle_->set_deadline(s == side::read ? poll_mode::read : poll_mode::write, when);
  }
}

socket_turn::socket_turn(socket& s, socket::side side, context const& ctx)
    : socket_(s), side_(side), entry_(s.gate_.enter(side, ctx)) {}

socket_turn::~socket_turn() {
  if (entry_ == fd_gate::entry::entered) socket_.left(socket_.gate_.leave(side_));
}

error socket_turn::refusal(context const& ctx) const {
  if (entry_ == fd_gate::entry::shut) return net::closed;
  if (entry_ != fd_gate::entry::entered) return context_error(ctx);
  if (time_point const when = socket_.deadline(side_); when != never && now() >= when) {
    return net::timed_out;
  }
  return ctx.err();
}

}  // namespace vole::internal
