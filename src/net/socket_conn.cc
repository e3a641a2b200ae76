// SPDX-License-Identifier: Apache-2.0
// socket_conn.h says what holds here.

#include "net/socket_conn.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "vole/assert.h"

#include "net/sockaddr.h"
#include "net/syscalls.h"

namespace vole::internal {
namespace {

using net::op_error;
using operation = net::op_error::operation;

// So many parts go out in one system call.
constexpr std::size_t parts_per_call = 32;

error errno_of(ssize_t status) {
  return errors::from_errno(static_cast<int>(-status));
}

// What is left to write of a list of parts.
class unsent {
 public:
  explicit unsent(std::span<io::bytes_view const> parts) : parts_(parts) { skip_empty(); }

  bool empty() const { return parts_.empty(); }

  std::span<iovec> gather(std::span<iovec> to) const {
    std::size_t n = 0;
    std::size_t skip = offset_;
    for (io::bytes_view const part : parts_) {
      if (n == to.size()) break;
      auto const rest = part.subspan(std::exchange(skip, 0));
      if (rest.empty()) continue;
      to[n++] = {const_cast<std::byte*>(rest.data()), rest.size()};
    }
    return to.first(n);
  }

  void sent(std::size_t n) {
    while (n > 0) {
      std::size_t const step = std::min(n, parts_.front().size() - offset_);
      n -= step;
      offset_ += step;
      skip_empty();
    }
  }

 private:
  void skip_empty() {
    while (!parts_.empty() && offset_ == parts_.front().size()) {
      parts_ = parts_.subspan(1);
      offset_ = 0;
    }
  }

  std::span<io::bytes_view const> parts_;
  std::size_t offset_ = 0;  // into the first part
};

}  // namespace

error socket_conn::failed(operation op, error cause) const {
  return errors::make_typed<op_error>(op, remote_.network(), remote_.text(), std::move(cause));
}

error socket_conn::finish_connect(context const& ctx) {
  for (;;) {
    if (error err = socket_.wait(socket::side::write, ctx)) return err;
    if (int const failure = sys::take_error(socket_.fd()); failure != 0) {
      return errors::from_errno(failure);
    }
    int const status = sys::connected(socket_.fd());
    if (status != -ENOTCONN) return errors::from_errno(-status);
  }
}

error socket_conn::wait_for_edge(context const& ctx) {
  error err = socket_.wait(socket::side::read, ctx);
  if (!err) drained_ = false;
  return err;
}

result<std::size_t> socket_conn::read(context const& ctx, io::bytes_span to) {
  VOLE_REQUIRE(!to.empty(), "read into no bytes at all: 0 would mean the end of the stream");
  socket_turn const turn(socket_, socket::side::read, ctx);
  error err = turn.refusal(ctx);
  while (!err) {
    if (must_try()) {
      ssize_t const n = sys::recv(socket_.fd(), to);
      if (n >= 0) {
        std::size_t const got = static_cast<std::size_t>(n);
        drained_ = got != 0 && got < to.size() && remote_.is_tcp();
        return got;
      }
      if (n != -EAGAIN) {
        err = errno_of(n);
        break;
      }
      drained_ = true;
    }
    err = wait_for_edge(ctx);
  }
  return failed(operation::read, std::move(err));
}

error socket_conn::wait_readable(context const& ctx) {
  socket_turn const turn(socket_, socket::side::read, ctx);
  error err = turn.refusal(ctx);
  while (!err) {
    // An edge that has been fetched may be about bytes that were read since; one that comes after
    // this is about new ones.
    bool const next_edge_is_new = drained_ && !socket_.hangup().raised() &&
                                  socket_.handle().next_edge_is_new(poll_mode::read);
    if (!next_edge_is_new) {
      ssize_t const n = sys::peek(socket_.fd());
      drained_ = n == -EAGAIN;
      if (n >= 0) return nullptr;
      if (n != -EAGAIN) {
        err = errno_of(n);
        break;
      }
    }
    err = wait_for_edge(ctx);
    if (!err && next_edge_is_new) return nullptr;
  }
  return failed(operation::read, std::move(err));
}

error socket_conn::write(context const& ctx, io::bytes_view from) {
  socket_turn const turn(socket_, socket::side::write, ctx);
  error err = turn.refusal(ctx);
  while (!err && !from.empty()) {
    ssize_t const n = sys::send(socket_.fd(), from);
    if (n >= 0) {
      from = from.subspan(static_cast<std::size_t>(n));
    } else if (n == -EAGAIN) {
      err = socket_.wait(socket::side::write, ctx);
    } else {
      err = errno_of(n);
    }
  }
  return err ? failed(operation::write, std::move(err)) : error();
}

error socket_conn::writev(context const& ctx, std::span<io::bytes_view const> parts) {
  socket_turn const turn(socket_, socket::side::write, ctx);
  error err = turn.refusal(ctx);
  unsent rest(parts);
  while (!err && !rest.empty()) {
    iovec vectors[parts_per_call];
    ssize_t const n = sys::send(socket_.fd(), rest.gather(vectors));
    if (n >= 0) {
      rest.sent(static_cast<std::size_t>(n));
    } else if (n == -EAGAIN) {
      err = socket_.wait(socket::side::write, ctx);
    } else {
      err = errno_of(n);
    }
  }
  return err ? failed(operation::write, std::move(err)) : error();
}

error socket_conn::close() {
  socket_.close();
  return nullptr;
}

error socket_conn::close_write() {
  socket_visit const here(socket_);
  error err;
  if (!here) {
    err = net::closed;
  } else if (int const status = sys::shutdown_write(socket_.fd()); status < 0) {
    err = errno_of(status);
  }
  return err ? failed(operation::write, std::move(err)) : error();
}

net::address socket_conn::local_addr() const {
  socket_visit const here(socket_);
  return here ? local_address_of(socket_.fd()) : net::address();
}

void socket_conn::set_read_deadline(time_point when) {
  socket_.set_deadline(socket::side::read, when);
}

void socket_conn::set_write_deadline(time_point when) {
  socket_.set_deadline(socket::side::write, when);
}

result<std::unique_ptr<net::conn>> make_conn(int fd, net::address remote) {
  poll_handle* handle = nullptr;
  if (int const failure = socket::register_fd(fd, &handle); failure != 0) {
    return errors::from_errno(failure, "watch the new connection");
  }
  return std::make_unique<socket_conn>(fd, handle, std::move(remote));
}

}  // namespace vole::internal
