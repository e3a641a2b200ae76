// SPDX-License-Identifier: Apache-2.0
// socket_listener: net::listener over a socket.
//
// INVARIANTS
//  - pause_ is the turn's of the reading side.
//  - The file of a unix socket is removed once, by close, if it is still the one that bind made.
//  - close returns when the descriptor is closed. Whoever is in accept then holds no lock and, once
//    woken, waits for nothing.
// LOCKS  those of socket.
#pragma once

#include <string>
#include <sys/types.h>

#include "vole/chan.h"
#include "vole/net.h"

#include "net/socket.h"

namespace vole::internal {

// A file in the file system, known by more than its name.
struct bound_file {
  std::string path;  // empty: none
  dev_t device = 0;
  ino_t inode = 0;

  static bound_file of(std::string const& path);
  void remove() const;
};

class socket_listener final : public net::listener {
 public:
  socket_listener(int fd, poll_handle* handle, net::address at, bound_file file)
      : socket_(fd, handle), at_(std::move(at)), file_(std::move(file)) {}
  ~socket_listener() override { static_cast<void>(close()); }

  result<std::unique_ptr<net::conn>> accept(context const& ctx) override;
  error close() override;
  net::address addr() const override { return at_; }
  int native_handle() const override { return socket_.fd(); }

 private:
  result<std::unique_ptr<net::conn>> accept_once(context const& ctx);
  void pause(context const& ctx);

  socket socket_;
  net::address at_;
  bound_file file_;
  chan<unit> closing_{1};  // closed by close(); ends a pause
  duration pause_{0};
};

}  // namespace vole::internal
