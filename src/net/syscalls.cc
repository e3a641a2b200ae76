// SPDX-License-Identifier: Apache-2.0
// syscalls.h says what holds here.

#include "net/syscalls.h"

#include <cerrno>
#include <unistd.h>

namespace vole::internal::sys {
namespace {

template <class Call>
auto again(Call call) {
  for (;;) {
    auto const n = call();
    if (n >= 0) return n;
    if (errno != EINTR) return static_cast<decltype(n)>(-errno);
  }
}

int once(int status) {
  return status < 0 ? -errno : status;
}

}  // namespace

ssize_t recv(int fd, std::span<std::byte> to) {
  return again([&] { return ::recv(fd, to.data(), to.size(), MSG_DONTWAIT); });
}

ssize_t peek(int fd) {
  std::byte unused;
  return again([&] { return ::recv(fd, &unused, 1, MSG_PEEK | MSG_DONTWAIT); });
}

ssize_t send(int fd, std::span<std::byte const> from) {
  return again([&] { return ::send(fd, from.data(), from.size(), MSG_NOSIGNAL | MSG_DONTWAIT); });
}

ssize_t send(int fd, std::span<iovec> from) {
  msghdr message{};
  message.msg_iov = from.data();
  message.msg_iovlen = from.size();
  return again([&] { return ::sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT); });
}

int socket(int family) {
  return once(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

int accept(int fd, sockaddr* from, socklen_t* size) {
  return again([&] { return ::accept4(fd, from, size, SOCK_NONBLOCK | SOCK_CLOEXEC); });
}

int connect(int fd, sockaddr const* to, socklen_t size) {
  return once(::connect(fd, to, size));
}
int bind(int fd, sockaddr const* to, socklen_t size) {
  return once(::bind(fd, to, size));
}
int listen(int fd, int backlog) {
  return once(::listen(fd, backlog));
}
int shutdown_write(int fd) {
  return once(::shutdown(fd, SHUT_WR));
}
int close(int fd) {
  return once(::close(fd));
}

int set_option(int fd, int level, int option, int value) {
  return once(::setsockopt(fd, level, option, &value, sizeof value));
}

int take_error(int fd) {
  int pending = 0;
  socklen_t size = sizeof pending;
  int const status = once(::getsockopt(fd, SOL_SOCKET, SO_ERROR, &pending, &size));
  return status < 0 ? -status : pending;
}

int connected(int fd) {
  sockaddr_storage peer;
  socklen_t size = sizeof peer;
  return once(::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size));
}

}  // namespace vole::internal::sys
