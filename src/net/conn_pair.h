// SPDX-License-Identifier: Apache-2.0
// conn_pair: two connected ends, for tests, of each kind of connection. No shared state.
#pragma once

#include <chrono>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <string_view>
#include <unistd.h>

#include "vole/go.h"
#include "vole/internal/format.h"
#include "vole/net.h"
#include "vole/sync.h"

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
