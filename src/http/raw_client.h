// SPDX-License-Identifier: Apache-2.0
// For the tests of this room: the client's end of a connection, spoken byte by byte.
#pragma once

#include <array>
#include <chrono>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <string_view>

#include "vole/net.h"

namespace vole::http {

class raw_client {
 public:
  explicit raw_client(std::unique_ptr<net::conn> conn) : conn_(std::move(conn)) {
    conn_->set_deadline(vole::internal::now() + std::chrono::seconds(30));
  }
  static raw_client dial(net::address const& to) {
    auto conn = net::dial(context::background(), "tcp", to.text());
    EXPECT_TRUE(conn) << conn.error().message();
    return raw_client(*std::move(conn));
  }

  void send(std::string_view text) {
    error const err = conn_->write(context::background(), io::bytes(text));
    EXPECT_FALSE(err) << err.message();
  }

  // read_until reads until `text` has come and returns everything up to its end.
  std::string read_until(std::string_view text) {
    for (;;) {
      std::size_t const at = seen_.find(text);
      if (at != std::string::npos) {
        std::string const got = seen_.substr(0, at + text.size());
        seen_.erase(0, got.size());
        return got;
      }
      if (!receive()) {
        ADD_FAILURE() << "the stream ended before \"" << text << "\": " << seen_;
        return seen_;
      }
    }
  }

  // response reads one response that has a Content-Length, or no body.
  std::string response() {
    std::string got = read_until("\r\n\r\n");
    std::size_t const at = got.find("Content-Length: ");
    std::size_t const length = at == std::string::npos ? 0 : std::stoul(got.substr(at + 16));
    while (seen_.size() < length && receive()) {
    }
    got += seen_.substr(0, length);
    seen_.erase(0, length);
    return got;
  }

  // rest reads to the end of the stream.
  std::string rest() {
    while (receive()) {
    }
    return std::exchange(seen_, {});
  }

  net::conn& conn() { return *conn_; }
  void close() { static_cast<void>(conn_->close()); }

 private:
  bool receive() {
    std::array<std::byte, 4096> buffer;
    auto const got = conn_->read(context::background(), buffer);
    if (!got || *got == 0) return false;
    seen_ += io::text(std::span(buffer).first(*got));
    return true;
  }

  std::unique_ptr<net::conn> conn_;
  std::string seen_;
};

}  // namespace vole::http
