// SPDX-License-Identifier: Apache-2.0
// conn_pair: two connected ends, for tests, of each kind of connection. No shared state.
#pragma once

#include <chrono>
#include <gtest/gtest.h>
#include <memory>
#include <netinet/in.h>
#include <optional>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

#include "vole/go.h"
#include "vole/internal/format.h"
#include "vole/net.h"
#include "vole/sync.h"

#include "net/sockaddr.h"

namespace vole::net {

struct conn_pair {
  std::unique_ptr<conn> near;
  std::unique_ptr<conn> far;
};

// An abstract name that no other test and no other process uses.
inline std::string unused_name() {
  static internal::atomic<int> next{0};
  return fmt::format("@vole-net-test-{}-{}", ::getpid(), ++next);
}

// Bound and not listened to: nobody else can listen there, and connecting is refused.
class held_port {
 public:
  explicit held_port(std::uint16_t port = 0) {
    auto const at = internal::to_sockaddr(address::tcp(ip_address::loopback_v4(), port));
    if (::bind(fd_, at->data(), at->size) != 0) ::close(std::exchange(fd_, -1));
  }
  ~held_port() {
    if (fd_ != -1) ::close(fd_);
  }
  held_port(held_port const&) = delete;
  held_port& operator=(held_port const&) = delete;

  explicit operator bool() const { return fd_ != -1; }  // false: it is somebody else's
  std::string text() const { return internal::local_address_of(fd_).text(); }

 private:
  int fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
};

// A listener on IPv6 whose port nobody listens to on 127.0.0.1, for as long as `v4` is held.
inline result<std::unique_ptr<listener>> listen_on_v6_alone(std::string_view at,
                                                            std::optional<held_port>& v4) {
  for (;;) {
    auto l = listen("tcp6", at);
    if (!l || v4.emplace((*l)->addr().port())) return l;
  }
}

inline conn_pair connect_pair(std::string_view network) {
  if (network == "pipe") {
    auto [near, far] = pipe();
    return {std::move(near), std::move(far)};
  }
  auto l = listen(network, network == "unix" ? unused_name() : "127.0.0.1:0");
  if (!l) {
    ADD_FAILURE() << l.error().message();
    return {};
  }
  std::unique_ptr<conn> far;
  sync::wait_group accepting;
  accepting.go([&] {
    auto accepted = (*l)->accept(context::background());
    if (accepted) far = *std::move(accepted);
  });
  auto near = dial(context::background(), network, (*l)->addr().text());
  accepting.wait();
  if (!near || far == nullptr) {
    ADD_FAILURE() << near.error().message();
    return {};
  }
  return {*std::move(near), std::move(far)};
}

// read_text reads once, at most so many bytes.
inline std::string read_text(conn& from, std::size_t bytes_max = 1000) {
  std::string text(bytes_max, '\0');
  auto const got = from.read(context::background(), std::as_writable_bytes(std::span(text)));
  if (!got) return got.error().message();
  text.resize(*got);
  return text;
}

}  // namespace vole::net
