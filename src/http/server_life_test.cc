// SPDX-License-Identifier: Apache-2.0
// The server over loopback sockets: clients that are slow, gone or many, and the end of it all.
#include <gtest/gtest.h>
#include <string>
#include <unistd.h>
#include <vector>

#include "vole/chan.h"
#include "vole/http.h"
#include "vole/http/client.h"
#include "vole/internal/atomic.h"
#include "vole/internal/format.h"
#include "vole/runtime.h"
#include "vole/sync/wait_group.h"
#include "vole/testing.h"

#include "http/raw_client.h"

namespace vole::http {
namespace {

using namespace std::chrono_literals;

void hello(response_writer& res, request&) {
  reply(res, 200, "hello");
}

constexpr std::string_view get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

// live_server serves on a free port until it is shut down.
struct live_server {
  explicit live_server(server_options options) : server(std::move(options)) {
    auto opened = net::listen("tcp", "127.0.0.1:0");
    EXPECT_TRUE(opened) << opened.error().message();
    listener = *std::move(opened);
    serving.go([this] { served = server.serve(context::background(), *listener); });
  }
  ~live_server() {
    error const err = stop();
    EXPECT_TRUE(!err || !expect_clean) << err.message();
  }

  error stop(duration limit = 30s) {
    auto const [ctx, cancel] = context::with_timeout(context::background(), limit);
    error err = server.shutdown(ctx);
    serving.wait();
    return err;
  }
  raw_client connect() { return raw_client::dial(listener->addr()); }
  std::string url(std::string_view path) {
    return fmt::format("http://{}{}", listener->addr().text(), path);
  }

  std::unique_ptr<net::listener> listener;
  http::server server;
  error served;
  sync::wait_group serving;
  bool expect_clean = true;
};

TEST(http_server_life, serves_over_tcp_and_unix_sockets) {
  live_server live({.handler = hello});
  raw_client c = live.connect();
  c.send(get);
  EXPECT_TRUE(c.response().ends_with("hello"));

  std::string const path = fmt::format("@vole-http-test-{}", ::getpid());
  auto listener = net::listen("unix", path);
  ASSERT_TRUE(listener);
  sync::wait_group serving;
  serving.go([&] { EXPECT_FALSE(live.server.serve(context::background(), **listener)); });
  auto dialed = net::dial(context::background(), "unix", path);
  ASSERT_TRUE(dialed) << dialed.error().message();
  raw_client local(*std::move(dialed));
  local.send(get);
  EXPECT_TRUE(local.response().ends_with("hello"));
  EXPECT_FALSE(live.stop());
  serving.wait();
}

TEST(http_server_life, a_head_that_comes_too_slowly_is_408) {
  live_server live({.handler = hello, .header_timeout = 50ms});
  raw_client c = live.connect();
  c.send("GET / HTT");
  EXPECT_TRUE(c.rest().starts_with("HTTP/1.1 408 "));
}

TEST(http_server_life, an_idle_connection_is_closed_in_silence) {
  live_server live({.handler = hello, .idle_timeout = 50ms});
  raw_client quiet = live.connect();
  EXPECT_EQ(quiet.rest(), "");
  live_server patient({.handler = hello, .idle_timeout = 2s});
  raw_client used = patient.connect();
  used.send(get);
  used.response();
  EXPECT_EQ(used.rest(), "");
}

TEST(http_server_life, a_body_that_comes_too_slowly_is_408) {
  live_server live({.handler =
                        [](response_writer& res, request& req) {
                          auto const body = req.read_body();
                          ASSERT_FALSE(body);
                          EXPECT_TRUE(errors::is(body.error(), body_timeout));
                          reply_error(res, status_of(body.error()), "slow");
                        },
                    .body_grace = 50ms});
  raw_client c = live.connect();
  c.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab");
  EXPECT_TRUE(c.rest().starts_with("HTTP/1.1 408 "));
}

TEST(http_server_life, a_client_that_takes_nothing_is_given_up) {
  chan<error> failed(1);
  live_server live({.handler =
                        [&](response_writer& res, request&) {
                          std::string const block(1 << 20, 'x');
                          error err;
                          while (!err) err = res.write(block);
                          failed.send(err);
                        },
                    .write_stall_timeout = 50ms});
  raw_client c = live.connect();
  c.send(get);
  auto const err = failed.recv();
  ASSERT_TRUE(err);
  EXPECT_TRUE(errors::is(*err, net::timed_out)) << err->message();
}

TEST(http_server_life, a_write_under_a_context_ends_with_it) {
  chan<error> failed(1);
  live_server live({.handler = [&](response_writer& res, request&) {
    auto const [ctx, cancel] = context::with_timeout(context::background(), 20ms);
    std::string const block(1 << 20, 'x');
    error err;
    while (!err) err = res.write(ctx, io::bytes(block));
    failed.send(err);
  }});
  raw_client c = live.connect();
  c.send(get);
  auto const err = failed.recv();
  ASSERT_TRUE(err);
  EXPECT_TRUE(errors::is(*err, context::deadline_exceeded)) << err->message();
}

TEST(http_server_life, the_context_ends_when_the_client_goes_away) {
  chan<std::string> ended(1);
  chan<unit> started(1);
  live_server live({.handler = [&](response_writer&, request& req) {
    context const ctx = req.ctx();
    started.send({});
    chan<unit> const never_comes(0);
    auto const got = recv(ctx, never_comes);
    ended.send(fmt::format("{}: {}", got.error(), ctx.cause()));
  }});
  {
    raw_client c = live.connect();
    c.send(get);
    started.recv();
    c.close();
  }
  EXPECT_EQ(ended.recv(), "context canceled: http: client closed the connection");
}

TEST(http_server_life, the_context_ends_when_the_handler_has_returned) {
  chan<context> given(1);
  live_server live({.handler = [&](response_writer& res, request& req) {
    given.send(req.ctx());
    reply(res, 200, "ok");
  }});
  raw_client c = live.connect();
  for (int i = 0; i < 2; ++i) {
    c.send(get);
    c.response();
    auto const ctx = given.recv();
    ASSERT_TRUE(ctx);
    EXPECT_TRUE(errors::is(ctx->err(), context::canceled));
  }
}

TEST(http_server_life, contexts_carry_what_the_base_context_holds) {
  struct key {
    using value_type = int;
  };
  live_server live({.handler =
                        [](response_writer& res, request& req) {
                          int const* value = req.ctx().value<key>();
                          reply(res, 200, value == nullptr ? "none" : fmt::format("{}", *value));
                        },
                    .base_context = context::with_value<key>(context::background(), 42)});
  raw_client c = live.connect();
  c.send(get);
  EXPECT_TRUE(c.response().ends_with("\r\n\r\n42"));
}

TEST(http_server_life, an_earlier_answer_does_not_wait_for_a_later_handler) {
  chan<unit> go_on(0);
  live_server live({.handler = [&](response_writer& res, request& req) {
    if (req.path() == "/slow") static_cast<void>(recv(req.ctx(), go_on));
    reply(res, 200, req.path());
  }});
  raw_client c = live.connect();
  c.send("GET /fast HTTP/1.1\r\nHost: x\r\n\r\nGET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(c.response().ends_with("/fast"));
  go_on.send({});
  EXPECT_TRUE(c.response().ends_with("/slow"));
}

TEST(http_server_life, shutdown_lets_requests_end_and_closes_the_idle) {
  chan<unit> entered(2);
  chan<unit> go_on(0);
  live_server live({.handler = [&](response_writer& res, request& req) {
    if (req.path() == "/slow") {
      entered.send({});
      go_on.recv();
    }
    reply(res, 200, "done");
  }});
  raw_client idle = live.connect();
  idle.send(get);
  idle.response();
  raw_client busy = live.connect();
  busy.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
  entered.recv();

  sync::wait_group stopping;
  stopping.go([&] { EXPECT_FALSE(live.server.shutdown(context::background())); });
  EXPECT_EQ(idle.rest(), "");
  auto const refused = net::dial(context::background(), "tcp", live.listener->addr().text());
  EXPECT_FALSE(refused);
  go_on.send({});
  std::string const got = busy.rest();
  EXPECT_NE(got.find("Connection: close\r\n"), std::string::npos);
  EXPECT_TRUE(got.ends_with("done"));
  stopping.wait();
  live.serving.wait();
  EXPECT_FALSE(live.served);
  EXPECT_EQ(live.server.stats().connections_live, 0u);
}

TEST(http_server_life, a_shutdown_still_hears_a_client_that_has_just_connected) {
  live_server live({.handler = hello});
  raw_client c = live.connect();
  while (live.server.stats().connections_live == 0) runtime::yield();
  sync::wait_group stopping;
  stopping.go([&] { EXPECT_FALSE(live.server.shutdown(context::background())); });
  c.send(get);
  EXPECT_TRUE(c.rest().ends_with("hello"));
  stopping.wait();
}

TEST(http_server_life, shutdown_cancels_what_does_not_end_in_time) {
  chan<unit> entered(1);
  chan<std::string> cause(1);
  live_server live({.handler = [&](response_writer&, request& req) {
    context const ctx = req.ctx();
    entered.send({});
    chan<unit> const never_comes(0);
    static_cast<void>(recv(ctx, never_comes));
    cause.send(ctx.cause().message());
  }});
  raw_client c = live.connect();
  c.send(get);
  entered.recv();
  live.expect_clean = false;
  EXPECT_EQ(live.stop(10ms).message(), "http: shutdown: 1 requests were canceled");
  EXPECT_EQ(cause.recv(), "http: server shut down");
  EXPECT_EQ(live.stop(10ms).message(), "http: shutdown: 1 requests were canceled");
}

TEST(http_server_life, shutdown_cancels_who_took_a_connection_over) {
  chan<unit> entered(1);
  live_server live({.handler = [&](response_writer& res, request& req) {
    context const ctx = req.ctx();
    auto taken = res.hijack();
    ASSERT_TRUE(taken);
    entered.send({});
    std::byte buffer[8];
    EXPECT_TRUE(errors::is(taken->conn->read(ctx, buffer).error(), context::canceled));
    EXPECT_EQ(ctx.cause().message(), "http: server shut down");
  }});
  raw_client c = live.connect();
  c.send(get);
  entered.recv();
  live.expect_clean = false;
  EXPECT_EQ(live.stop(10ms).message(), "http: shutdown: 1 requests were canceled");
}

TEST(http_server_life, serve_ends_with_its_context) {
  http::server server({.handler = hello});
  auto listener = net::listen("tcp", "127.0.0.1:0");
  ASSERT_TRUE(listener);
  auto [ctx, cancel] = context::with_cancel(context::background());
  sync::wait_group serving;
  serving.go([&, ctx = ctx] { EXPECT_FALSE(server.serve(ctx, **listener)); });
  raw_client c = raw_client::dial((*listener)->addr());
  c.send(get);
  c.response();
  cancel();
  serving.wait();
  EXPECT_EQ(c.rest(), "");
}

TEST(http_server_life, every_answer_that_was_begun_survives_a_shutdown_under_load) {
  for (int round = 0; round < 20; ++round) {
    live_server live({.handler = hello});
    http::client client;
    sync::wait_group load;
    vole::internal::atomic<int> answered{0};
    vole::internal::atomic<int> broken{0};
    chan<unit> warm(64);
    for (int i = 0; i < 8; ++i) {
      load.go([&] {
        for (;;) {
          auto res = client.get(context::background(), live.url("/"));
          if (!res) return;  // the server is gone
          auto const body = res->read_all(context::background());
          if (res->status() == 503) return;
          if (!body || *body != "hello") broken.fetch_add(1);
          answered.fetch_add(1);
          static_cast<void>(warm.try_send({}));
        }
      });
    }
    for (int i = 0; i < 32; ++i) warm.recv();
    EXPECT_FALSE(live.stop());
    load.wait();
    EXPECT_EQ(broken.load(), 0);
    EXPECT_GE(answered.load(), 32);
  }
}

TEST(http_server_life, many_connections_come_and_go) {
  live_server live({.handler = hello});
  sync::wait_group load;
  for (int i = 0; i < 16; ++i) {
    load.go([&] {
      for (int n = 0; n < 50; ++n) {
        raw_client c = live.connect();
        c.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        EXPECT_TRUE(c.rest().ends_with("hello"));
      }
    });
  }
  load.wait();
  EXPECT_EQ(live.server.stats().connections_total, 800u);
}

}  // namespace
}  // namespace vole::http
