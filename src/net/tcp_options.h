// SPDX-License-Identifier: Apache-2.0
// tcp_options: what every TCP connection of vole has set. No shared state.
#pragma once

#include <algorithm>
#include <chrono>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "vole/internal/clock.h"

#include "net/syscalls.h"

namespace vole::internal {

// No delay for small segments, and keep-alive probes so often; 0: none. Returns 0 or minus errno.
inline int set_tcp_stream_options(int fd, duration keep_alive) {
  int status = sys::set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  if (status != 0 || keep_alive <= duration::zero()) return status;
  auto const whole = std::chrono::ceil<std::chrono::seconds>(keep_alive).count();
  int const seconds = static_cast<int>(std::min<long long>(whole, 32767));  // the kernel's most
  status = sys::set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  if (status == 0) status = sys::set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, seconds);
  if (status == 0) status = sys::set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, seconds);
  return status;
}

}  // namespace vole::internal
