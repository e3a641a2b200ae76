// SPDX-License-Identifier: Apache-2.0
// The limit: two threads, each a bare epoll loop that answers a fixed string to whatever ends like
// a request head. No parser, no timeouts, no limits. See run.sh.
//   bench_http_plain_epoll PORT
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <string_view>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

constexpr std::string_view answer =
    "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
    "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 14\r\n\r\nHello, World!\n";

[[noreturn]] void die(char const* what) {
  std::perror(what);
  std::exit(1);
}

int listen_on(int port) {
  int const fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  int const on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) die("bind");
  if (::listen(fd, 1024) != 0) die("listen");
  return fd;
}

void watch(int epoll, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  if (::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) die("epoll_ctl");
}

void serve(int fd) {
  char buffer[4096];
  ssize_t const n = ::recv(fd, buffer, sizeof buffer, 0);
  if (n <= 0) {
    if (n == 0 || errno != EAGAIN) ::close(fd);
    return;
  }
  std::string_view const request(buffer, static_cast<std::size_t>(n));
  if (!request.ends_with("\r\n\r\n")) return;
  if (::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL) < 0) ::close(fd);
}

void* loop(void* argument) {
  int const listener = listen_on(*static_cast<int const*>(argument));
  int const epoll = ::epoll_create1(EPOLL_CLOEXEC);
  watch(epoll, listener);
  for (;;) {
    epoll_event events[128];
    int const n = ::epoll_wait(epoll, events, 128, -1);
    for (int i = 0; i < n; ++i) {
      if (events[i].data.fd != listener) {
        serve(events[i].data.fd);
        continue;
      }
      int const fd = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) continue;
      int const on = 1;
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      watch(epoll, fd);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  int port = argc == 2 ? std::atoi(argv[1]) : 0;
  if (port <= 0) {
    std::fprintf(stderr, "usage: %s PORT\n", argv[0]);
    return 2;
  }
  pthread_t second;
  // tidy: std::thread, the bare loop stands beside the runtime, not on it
  if (::pthread_create(&second, nullptr, loop, &port) != 0) die("pthread_create");
  loop(&port);
}
