// SPDX-License-Identifier: Apache-2.0
// sockaddr: net::address in the form of the socket calls, and back. No shared state.
#pragma once

#include <string_view>
#include <sys/socket.h>

#include "vole/net.h"

namespace vole::internal {

struct sockaddr_buffer {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);

  sockaddr* data() { return reinterpret_cast<sockaddr*>(&storage); }
  sockaddr const* data() const { return reinterpret_cast<sockaddr const*>(&storage); }
  int family() const { return storage.ss_family; }
};

// to_sockaddr fails for the path of a unix socket that is too long, empty, or has a zero within.
result<sockaddr_buffer> to_sockaddr(net::address const& from);

// from_sockaddr turns an IPv4 address that came in IPv6 form (::ffff:a.b.c.d) into IPv4.
net::address from_sockaddr(sockaddr_buffer const& from);

// What a socket calls itself and its peer; an unnamed address when it is no socket any more.
net::address local_address_of(int fd);
net::address peer_address_of(int fd);

// is_connected_to_itself tells of a TCP socket whose peer is the socket itself: the kernel makes
// that out of a connect to a free ephemeral port of this machine, if the port it draws is the same.
// Nobody listens there.
bool is_connected_to_itself(int fd);

}  // namespace vole::internal
