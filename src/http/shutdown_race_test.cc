// SPDX-License-Identifier: Apache-2.0
// What a shutdown does to a connection while its goroutine is at something else: the connection
// below holds the one still until the other has come to where it hurts.
#include <functional>
#include <gtest/gtest.h>
#include <memory>
#include <string>

#include "vole/chan.h"
#include "vole/http.h"
#include "vole/net.h"
#include "vole/sync/wait_group.h"
#include "vole/testing.h"

#include "http/raw_client.h"

namespace vole::http {
namespace {

constexpr std::string_view get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

// held_conn passes all on, and lets a test in between.
class held_conn final : public net::conn {
 public:
  explicit held_conn(std::unique_ptr<net::conn> below) : below_(std::move(below)) {}

  std::function<void()> after_close = [] {};
  std::function<void(time_point)> before_read_deadline = [](time_point) {};

  result<std::size_t> read(context const& ctx, io::bytes_span to) override {
    return below_->read(ctx, to);
  }
  error write(context const& ctx, io::bytes_view from) override { return below_->write(ctx, from); }
  error close() override {
    error err = below_->close();
    after_close();
    return err;
  }
  error close_write() override { return below_->close_write(); }
  net::address local_addr() const override { return below_->local_addr(); }
  net::address remote_addr() const override { return below_->remote_addr(); }
  void set_read_deadline(time_point when) override {
    before_read_deadline(when);
    below_->set_read_deadline(when);
  }
  void set_write_deadline(time_point when) override { below_->set_write_deadline(when); }
  error wait_readable(context const& ctx) override { return below_->wait_readable(ctx); }

 private:
  vole::internal::hangup_cell& hangup() override { return hangup_of(*below_); }

  std::unique_ptr<net::conn> below_;
};

struct held_pair {
  held_pair() {
    auto [at_server, at_client] = net::pipe();
    near = std::make_unique<held_conn>(std::move(at_server));
    client = std::make_unique<raw_client>(std::move(at_client));
  }
  std::unique_ptr<held_conn> near;
  std::unique_ptr<raw_client> client;
};

// The close that cuts a request raises the watch for a client that goes away.
TEST(http_shutdown_race, a_cut_request_is_told_so_even_if_the_watch_comes_first) {
  chan<unit> entered(1);
  chan<unit> ended(0);
  std::string cause;
  http::server server({.handler = [&](response_writer&, request& req) {
    context const ctx = req.ctx();
    entered.send({});
    chan<unit> const never_comes(0);
    static_cast<void>(recv(ctx, never_comes));
    cause = ctx.cause().message();
    ended.close();
  }});
  held_pair pair;
  pair.near->after_close = [&] { ended.recv(); };
  sync::wait_group serving;
  serving.go([&] { server.serve_conn(std::move(pair.near)); });
  pair.client->send(get);
  entered.recv();
  auto const [at_once, cancel] = context::with_cancel(context::background());
  cancel();
  EXPECT_EQ(server.shutdown(at_once).message(), "http: shutdown: 1 requests were canceled");
  serving.wait();
  EXPECT_EQ(cause, "http: server shut down");
}

// The shutdown finds the connection idle, and sets its deadline once it has been taken over.
TEST(http_shutdown_race, who_takes_a_connection_over_has_no_deadline_of_the_shutdown) {
  chan<unit> taking(1);
  std::string got;
  held_pair pair;
  raw_client& client = *pair.client;
  http::server server({.handler = [&](response_writer& res, request&) {
    taking.send({});
    auto const taken = res.hijack();
    ASSERT_TRUE(taken);
    client.send("more");
    std::byte buffer[8];
    auto const n = taken->conn->read(context::background(), buffer);
    got = n ? io::text(std::span(buffer).first(*n)) : n.error().message();
  }});
  bool nudged = false;
  auto const parked = testing::parked();
  pair.near->before_read_deadline = [&](time_point when) {
    if (when != time_point::min()) return;
    nudged = true;
    client.send(get);
    taking.recv();
    testing::wait_until_parked(parked + 1);  // it waits for the shutdown's lock
  };
  sync::wait_group serving;
  serving.go([&] { server.serve_conn(std::move(pair.near)); });
  testing::wait_until_parked(parked + 1);  // it is idle
  EXPECT_FALSE(server.shutdown(context::background()));
  serving.wait();
  EXPECT_TRUE(nudged);
  EXPECT_EQ(got, "more");
}

}  // namespace
}  // namespace vole::http
