// SPDX-License-Identifier: Apache-2.0
// socket_listener.h says what holds here.

#include "net/socket_listener.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <sys/stat.h>
#include <unistd.h>

#include "net/sockaddr.h"
#include "net/socket_conn.h"
#include "net/syscalls.h"

namespace vole::internal {
namespace {

using namespace std::chrono_literals;
using operation = net::op_error::operation;

constexpr duration first_pause = 5ms;
constexpr duration longest_pause = 1s;

// Failures of the connection that was to be accepted, not of the listener: accept(2) reports them
// once each, and the next connection may be well.
bool is_of_the_connection(int code) {
  switch (code) {
    case ECONNABORTED:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENETDOWN:
    case ENETUNREACH:
    case ENONET:
    case ENOPROTOOPT:
    case EOPNOTSUPP:
    case EPERM:
    case EPROTO:
      return true;
    default:
      return false;
  }
}

}  // namespace

bound_file bound_file::of(std::string const& path) {
  struct stat found;
  if (::lstat(path.c_str(), &found) != 0) return {};
  return {path, found.st_dev, found.st_ino};
}

void bound_file::remove() const {
  if (path.empty()) return;
  bound_file const now_there = of(path);
  if (now_there.device == device && now_there.inode == inode) ::unlink(path.c_str());
}

result<std::unique_ptr<net::conn>> socket_listener::accept_once(context const& ctx) {
  for (;;) {
    sockaddr_buffer from;
    int const fd = sys::accept(socket_.fd(), from.data(), &from.size);
    if (fd >= 0) return make_conn(fd, from_sockaddr(from));
    if (is_of_the_connection(-fd)) continue;
    if (fd != -EAGAIN) return errors::from_errno(-fd);
    if (error err = socket_.wait(socket::side::read, ctx)) return err;
  }
}

// pause waits before the caller is told that there is nothing to accept with.
void socket_listener::pause(context const& ctx) {
  pause_ = pause_ == duration::zero() ? first_pause : std::min(2 * pause_, longest_pause);
  park_limit limit = ctx;
  limit.deadline = std::min({limit.deadline, deadline_after(pause_)});
  static_cast<void>(closing_.recv_until(limit));
}

result<std::unique_ptr<net::conn>> socket_listener::accept(context const& ctx) {
  socket_turn const turn(socket_, socket::side::read, ctx);
  error err = turn.refusal(ctx);
  if (!err) {
    auto accepted = accept_once(ctx);
    if (accepted) {
      pause_ = duration::zero();
      return accepted;
    }
    err = accepted.error();
    if (net::is_resource_limit(err)) pause(ctx);
  }
  return errors::make_typed<net::op_error>(operation::accept, at_.network(), at_.text(),
                                           std::move(err));
}

error socket_listener::close() {
  if (!socket_.begin_close()) return nullptr;
  closing_.close();
  // While the descriptor is open nobody takes the file for stale, and its inode is nobody else's.
  file_.remove();
  socket_.end_close();
  return nullptr;
}

}  // namespace vole::internal
