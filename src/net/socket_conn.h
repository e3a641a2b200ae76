// SPDX-License-Identifier: Apache-2.0
// socket_conn: net::conn over a socket.
//
// Reading is edge-triggered: the system call first, a wait when it says EAGAIN. One more call is
// saved: when a read of a TCP socket got fewer bytes than it asked for, the receive queue was empty
// at that moment, and the next read waits at once instead of being told EAGAIN. This loses nothing:
//  - Bytes that come later make a new edge, and an edge is never lost (poll_handle).
//  - The end of the stream may have come together with those bytes, under one edge that is used up.
//    It is EPOLLRDHUP that tells: the netpoller raises `hangup` before it reports such an edge, and
//    while that is raised every read makes its call. An end that comes after the edge was reported
//    makes an edge of its own. The same holds for a reset (EPOLLHUP, EPOLLERR).
//  - Urgent data, at whose mark a read may end early, is not used by any protocol here; a peer that
//    sends some delays its own bytes until its next ones.
// Unix sockets also end a read early where descriptors were passed, so there only EAGAIN counts.
//
// INVARIANTS
//  - drained_: the last call left nothing to read and no edge was used up since; its owner is the
//    turn of the reading side.
// LOCKS  those of socket.
#pragma once

#include <memory>

#include "vole/net.h"

#include "net/socket.h"

namespace vole::internal {

class socket_conn final : public net::conn {
 public:
  socket_conn(int fd, poll_handle* handle, net::address remote)
      : socket_(fd, handle), remote_(std::move(remote)) {}

  // finish_connect waits for a connect that said EINPROGRESS.
  error finish_connect(context const& ctx);

  result<std::size_t> read(context const& ctx, io::bytes_span to) override;
  error write(context const& ctx, io::bytes_view from) override;
  error writev(context const& ctx, std::span<io::bytes_view const> parts) override;
  error close() override;
  error close_write() override;
  net::address local_addr() const override;
  net::address remote_addr() const override { return remote_; }
  void set_read_deadline(time_point when) override;
  void set_write_deadline(time_point when) override;
  error wait_readable(context const& ctx) override;
  int native_handle() const override { return socket_.fd(); }

 private:
  hangup_cell& hangup() override { return socket_.hangup(); }
  bool must_try() { return !drained_ || socket_.hangup().raised(); }
  error wait_for_edge(context const& ctx);
  error failed(net::op_error::operation op, error cause) const;

  mutable socket socket_;
  net::address remote_;
  bool drained_ = false;
};

// make_conn takes over a connected, non-blocking descriptor; it is closed when that fails.
result<std::unique_ptr<net::conn>> make_conn(int fd, net::address remote);

}  // namespace vole::internal
