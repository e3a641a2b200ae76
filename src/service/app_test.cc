// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "vole/go.h"
#include "vole/http/client.h"
#include "vole/internal/atomic.h"
#include "vole/net.h"
#include "vole/runtime.h"
#include "vole/select.h"
#include "vole/service.h"
#include "vole/sync.h"
#include "vole/testing.h"

namespace vole {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// home is the options of a service under test, and where it logs.
struct home {
  std::shared_ptr<log::memory_sink> sink = std::make_shared<log::memory_sink>();
  service::options how;

  home() {
    how.name = "folio";
    how.listen = "127.0.0.1:0";
    how.admin = "127.0.0.1:0";
    how.ops = "127.0.0.1:0";
    how.log_to = sink;
    how.handle_signals = false;
  }
};

struct answer {
  int status = 0;  // 0: no answer
  std::string body;
  std::string connection;
  std::string request_id;
};

answer get(http::client& client, std::string const& address, std::string_view path) {
  auto res = client.get(context::background(), fmt::format("http://{}{}", address, path));
  if (!res) return {0, res.error().message(), "", ""};
  auto body = res->read_all(context::background());
  return {res->status(), body.value_or(""), std::string(res->header().get("Connection")),
          std::string(res->header().get("X-Request-Id"))};
}

answer get(std::string const& address, std::string_view path) {
  http::client client;
  return get(client, address, path);
}

void wait_until_ready(service::app& app, context const& ctx) {
  while (!app.health().readiness(ctx).ready) runtime::yield();
}

error add_hello(service::app& app) {
  app.mux().handle("GET /hello", [](http::response_writer& res, http::request&) {
    http::reply(res, http::status::ok, "hello\n");
  });
  return nullptr;
}

TEST(app, serves_until_it_is_shut_down) {
  home h;
  service::app app(h.how);
  ASSERT_FALSE(app.start(add_hello));
  EXPECT_EQ(get(app.address(), "/hello").body, "hello\n");
  EXPECT_EQ(get(app.admin_address(), "/readyz").status, 200);
  EXPECT_EQ(get(app.ops_address(), "/livez").status, 200);
  EXPECT_THAT(get(app.ops_address(), "/metrics").body,
              HasSubstr("http_requests_total{method=\"GET\",route=\"/hello\",status=\"200\"} 1\n"));
  auto const address = app.address();
  EXPECT_FALSE(app.shutdown(context::background()));
  EXPECT_THAT(get(address, "/hello").body, HasSubstr("connection refused"));
  EXPECT_THAT(h.sink->text(), HasSubstr("msg=serving name=folio"));
  EXPECT_THAT(h.sink->text(), HasSubstr("msg=stopped"));
}

TEST(app, a_message_that_is_no_request_is_refused_with_a_problem) {
  home h;
  service::app app(h.how);
  ASSERT_FALSE(app.start(add_hello));
  auto const too_long = get(app.address(), "/" + std::string(9000, 'a'));
  EXPECT_EQ(too_long.status, 414);
  EXPECT_THAT(too_long.body, HasSubstr(R"({"type":"about:blank","title":"URI Too Long",)"
                                       R"("status":414,"detail":"request line too long",)"
                                       R"("code":"uri_too_long","request_id":")" +
                                       too_long.request_id + R"(","trace_id":")"));
  std::string const line = fmt::format("request_id={}", too_long.request_id);
  std::string const lines = h.sink->text();
  auto const at = lines.find(line);
  ASSERT_NE(at, std::string::npos) << lines;
  EXPECT_EQ(lines.find(line, at + 1), std::string::npos) << "logged once: " << lines;
  EXPECT_THAT(lines, HasSubstr("level=INFO msg=\"message refused\" " + line));
  EXPECT_THAT(lines, HasSubstr(" status=414 remote=127.0.0.1:"));
}

TEST(app, a_connection_too_many_is_told_so_with_a_problem) {
  home h;
  h.how.http.connections_max = 0;
  service::app app(h.how);
  ASSERT_FALSE(app.start(add_hello));
  auto const turned_away = get(app.address(), "/hello");
  EXPECT_EQ(turned_away.status, 503);
  EXPECT_THAT(turned_away.body,
              HasSubstr(R"("code":"service_unavailable","request_id":")" + turned_away.request_id));
}

TEST(app, says_when_it_serves) {
  home h;
  service::app app(h.how);
  std::string told;
  ASSERT_FALSE(app.start([&](service::app& starting) -> error {
    starting.on_serving([&] { told = get(starting.address(), "/hello").body; });
    return add_hello(starting);
  }));
  EXPECT_EQ(told, "hello\n");
}

TEST(app, a_server_that_is_not_wanted_is_not_there) {
  home h;
  h.how.admin.clear();
  h.how.ops.clear();
  service::app app(h.how);
  ASSERT_FALSE(app.start(add_hello));
  EXPECT_EQ(app.admin_address(), "");
  EXPECT_EQ(app.ops_address(), "");
  EXPECT_EQ(get(app.address(), "/hello").status, 200);
}

TEST(app, the_public_server_shows_no_admin_page) {
  home h;
  service::app app(h.how);
  ASSERT_FALSE(app.start(add_hello));
  for (char const* const path : {"/metrics", "/livez", "/readyz", "/debug/pprof/", "/debug/config",
                                 "/debug/log-level", "/"}) {
    EXPECT_EQ(get(app.address(), path).status, 404) << path;
  }
}

TEST(app, pages_of_its_own_are_on_the_admin_server_once_it_is_set_up) {
  home h;
  service::app app(h.how);
  ASSERT_FALSE(app.start([](service::app& self) -> error {
    self.admin_mux().handle("GET /jobs", [](http::response_writer& res, http::request&) {
      http::reply(res, http::status::ok, "none\n");
    });
    EXPECT_EQ(get(self.admin_address(), "/livez").status, 200);
    EXPECT_EQ(get(self.admin_address(), "/jobs").status, 404);
    return add_hello(self);
  }));
  EXPECT_EQ(get(app.admin_address(), "/jobs").body, "none\n");
  EXPECT_EQ(get(app.admin_address(), "/livez").status, 200);
}

TEST(app, closes_in_reverse_order_after_its_tasks_have_ended) {
  home h;
  std::vector<std::string> ended;
  service::app app(h.how);
  ASSERT_FALSE(app.start([&](service::app& app) -> error {
    app.on_close("database", [&](context const&) -> error {
      ended.push_back("database");
      return nullptr;
    });
    app.on_close("cache", [&](context const&) -> error {
      ended.push_back("cache");
      return nullptr;
    });
    app.background("feed", [&](context const& ctx) -> error {
      static_cast<void>(ctx.done().recv());
      ended.push_back("feed");
      return ctx.err();
    });
    return nullptr;
  }));
  EXPECT_FALSE(app.shutdown(context::background()));
  EXPECT_THAT(ended, ElementsAre("feed", "cache", "database"));
  EXPECT_THAT(h.sink->text(), Not(HasSubstr("level=ERROR")));
}

TEST(app, a_set_up_that_fails_closes_what_it_has_opened) {
  home h;
  bool closed = false;
  service::app app(h.how);
  ::testing::internal::CaptureStderr();
  int const code = app.run([&](service::app& app) -> error {
    app.on_close("database", [&](context const&) -> error {
      closed = true;
      return nullptr;
    });
    return errors::wrap(errors::make("connection refused"), "connect to 127.0.0.1:5432");
  });
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            "folio: connect to 127.0.0.1:5432: connection refused\n");
  EXPECT_EQ(code, 1);
  EXPECT_TRUE(closed);
}

TEST(app, a_port_that_is_taken_is_found_before_anything_is_opened) {
  home first;
  service::app app(first.how);
  ASSERT_FALSE(app.start(add_hello));
  home second;
  second.how.listen = app.address();
  service::app late(second.how);
  bool opened = false;
  ::testing::internal::CaptureStderr();
  int const code = late.run([&](service::app&) -> error {
    opened = true;
    return nullptr;
  });
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            fmt::format("folio: listen tcp {}: address already in use: stop the other process, or "
                        "choose another address with --listen\n",
                        app.address()));
  EXPECT_EQ(code, 1);
  EXPECT_FALSE(opened);
}

TEST(app, an_admin_address_that_others_can_reach_needs_a_token) {
  home h;
  h.how.admin = "0.0.0.0:0";
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(service::app(h.how).run(add_hello), 2);
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              HasSubstr("folio: --admin 0.0.0.0:0: an admin server that others can reach needs "
                        "--admin-token"));
  h.how.admin_token = secret<std::string>("t");
  service::app app(h.how);
  EXPECT_FALSE(app.start(add_hello));
}

TEST(app, a_request_in_flight_is_answered_while_the_service_drains) {
  home h;
  chan<unit> entered(1);
  chan<unit> release(0);
  service::app app(h.how);
  ASSERT_FALSE(app.start([&](service::app& app) -> error {
    app.mux().handle("GET /slow", [&](http::response_writer& res, http::request&) {
      entered.send({});
      static_cast<void>(release.recv());
      http::reply(res, http::status::ok, "done\n");
    });
    return nullptr;
  }));
  auto const address = app.address();
  auto const admin = app.admin_address();
  answer slow;
  sync::wait_group wg;
  wg.go([&] { slow = get(address, "/slow"); });
  static_cast<void>(entered.recv());
  wg.go([&] { EXPECT_FALSE(app.shutdown(context::background())); });
  http::client probe;
  answer ready;
  do {
    ready = get(probe, admin, "/readyz");
  } while (ready.status == 200);
  EXPECT_EQ(ready.status, 503);
  EXPECT_THAT(ready.body, HasSubstr("not ready: draining"));
  // The server knows of it once it has closed its door.
  while (net::dial(context::background(), "tcp", address)) runtime::yield();
  release.close();
  wg.wait();
  EXPECT_EQ(slow.status, 200);
  EXPECT_EQ(slow.body, "done\n");
  EXPECT_EQ(slow.connection, "close");
}

TEST(app, a_request_that_outlasts_the_drain_has_its_context_ended) {
  home h;
  h.how.drain_timeout = 1ms;
  chan<unit> entered(1);
  error seen;
  service::app app(h.how);
  ASSERT_FALSE(app.start([&](service::app& app) -> error {
    app.mux().handle("GET /stuck", [&](http::response_writer&, http::request& req) {
      entered.send({});
      seen = time::sleep(req.ctx(), 1h);
    });
    return nullptr;
  }));
  sync::wait_group wg;
  wg.go([&] { EXPECT_EQ(get(app.address(), "/stuck").status, 0); });
  static_cast<void>(entered.recv());
  EXPECT_FALSE(app.shutdown(context::background()));
  wg.wait();
  EXPECT_TRUE(errors::is(seen, context::canceled)) << seen.message();
  EXPECT_THAT(h.sink->text(), HasSubstr("msg=\"requests did not end in time\""));
}

TEST(app, a_stream_that_watches_serving_ctx_does_not_hold_the_drain_up) {
  home h;
  chan<unit> entered(1);
  service::app app(h.how);
  ASSERT_FALSE(app.start([&](service::app& app) -> error {
    app.mux().handle("GET /stream", [&](http::response_writer& res, http::request& req) {
      EXPECT_FALSE(res.write("first\n"));
      EXPECT_FALSE(res.flush());
      entered.send({});
      select(recv(app.serving_ctx().done()), recv(req.ctx().done()));
      EXPECT_FALSE(res.write("last\n"));
    });
    return nullptr;
  }));
  answer streamed;
  sync::wait_group wg;
  wg.go([&] { streamed = get(app.address(), "/stream"); });
  static_cast<void>(entered.recv());
  EXPECT_FALSE(app.shutdown(context::background()));
  wg.wait();
  EXPECT_EQ(streamed.body, "first\nlast\n");
}

TEST(app, a_background_task_that_fails_ends_a_start_with_1) {
  home h;
  service::app app(h.how);
  EXPECT_EQ(app.run([](service::app& app) -> error {
    app.background("feed", [](context const&) { return errors::make("no such file"); });
    chan<unit> const never_comes(0);
    return recv(app.ctx(), never_comes).error();
  }),
            1);
}

TEST(app, a_background_task_that_fails_stops_the_service) {
  home h;
  service::app app(h.how);
  int const code = app.run([&](service::app& app) -> error {
    app.background("feed", [&app](context const& ctx) {
      wait_until_ready(app, ctx);
      return errors::make("no such file");
    });
    return nullptr;
  });
  EXPECT_EQ(code, 1);
  EXPECT_THAT(h.sink->text(), HasSubstr("level=ERROR msg=\"background task failed\" "
                                        "error=\"feed: no such file\""));
  EXPECT_THAT(h.sink->text(), HasSubstr("msg=stopping reason=\"background task failed\""));
}

TEST(app, a_close_that_fails_is_reported) {
  home h;
  service::app app(h.how);
  ASSERT_FALSE(app.start([](service::app& app) -> error {
    app.on_close("database", [](context const&) { return errors::make("disk full"); });
    return nullptr;
  }));
  EXPECT_EQ(app.shutdown(context::background()).message(), "close database: disk full");
}

TEST(app, a_close_that_hangs_is_left_behind) {
  home h;
  h.how.stop_timeout = 500ms;  // which the close that does not hang has too
  chan<unit> release(0);
  bool closed = false;
  service::app app(h.how);
  ASSERT_FALSE(app.start([&](service::app& app) -> error {
    app.on_close("first", [&](context const&) -> error {
      closed = true;
      return nullptr;
    });
    app.on_close("stuck", [release](context const&) -> error {
      static_cast<void>(release.recv());
      return nullptr;
    });
    return nullptr;
  }));
  EXPECT_EQ(app.shutdown(context::background()).message(),
            "close stuck: context deadline exceeded");
  EXPECT_TRUE(closed);
  release.close();
}

TEST(app, wraps_the_public_server_in_order) {
  home h;
  std::vector<std::string> order;
  auto const named = [&](std::string name) -> http::middleware {
    return [&order, name](http::handler next) -> http::handler {
      return [&order, name, next](http::response_writer& res, http::request& req) {
        order.push_back(name);
        next(res, req);
      };
    };
  };
  service::app app(h.how);
  ASSERT_FALSE(app.start([&](service::app& app) -> error {
    app.wrap(named("outer"));
    app.wrap(named("inner"));
    return add_hello(app);
  }));
  EXPECT_EQ(get(app.address(), "/hello").status, 200);
  EXPECT_THAT(order, ElementsAre("outer", "inner"));
}

TEST(app, stop_ends_run_with_0) {
  home h;
  service::app app(h.how);
  int const code = app.run([&](service::app& app) -> error {
    app.background("stop", [&app](context const&) -> error {
      app.stop();
      return nullptr;
    });
    return add_hello(app);
  });
  EXPECT_EQ(code, 0);
}

TEST(app, stop_ends_a_set_up_that_waits) {
  home h;
  service::app app(h.how);
  int const code = app.run([](service::app& app) -> error {
    app.stop();
    return errors::wrap(time::sleep(app.ctx(), 1h), "wait for the database");
  });
  EXPECT_EQ(code, 0);
  EXPECT_THAT(h.sink->text(), HasSubstr("msg=\"stopped while starting\""));
}

TEST(app, a_signal_stops_it) {
  for (int const signal : {SIGTERM, SIGINT}) {
    home h;
    h.how.handle_signals = true;
    service::app app(h.how);
    int const code = app.run([&](service::app& app) -> error {
      app.background("signal", [signal](context const&) -> error {
        ::kill(::getpid(), signal);
        return nullptr;
      });
      return add_hello(app);
    });
    EXPECT_EQ(code, 0);
    EXPECT_THAT(h.sink->text(), HasSubstr(signal == SIGTERM ? "reason=SIGTERM" : "reason=SIGINT"));
  }
}

TEST(app_death, a_second_signal_ends_it_at_once) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  auto const run = [] {
    home h;
    h.how.handle_signals = true;
    h.how.drain_delay = 1h;
    service::app app(h.how);
    app.run([&](service::app& app) -> error {
      app.background("signals", [&app](context const& ctx) -> error {
        wait_until_ready(app, ctx);
        ::kill(::getpid(), SIGTERM);
        while (app.health().readiness(ctx).reason != "draining") runtime::yield();
        ::kill(::getpid(), SIGINT);
        return nullptr;
      });
      return nullptr;
    });
  };
  EXPECT_EXIT(run(), ::testing::ExitedWithCode(128 + SIGINT),
              "folio: second signal \\(SIGINT\\): exiting at once");
}

TEST(app, may_be_started_and_shut_down_under_load_again_and_again) {
  for (int round = 0; round < 20; ++round) {
    home h;
    service::app app(h.how);
    ASSERT_FALSE(app.start(add_hello));
    internal::atomic<int> answered{0};
    internal::atomic<bool> stopping{false};
    sync::wait_group wg;
    for (int i = 0; i < 4; ++i) {
      wg.go([&, address = app.address()] {
        http::client client;
        for (;;) {
          auto const got = get(client, address, "/hello");
          if (got.status == 0) return;  // refused or closed: the end
          if (got.status == http::status::service_unavailable) {
            EXPECT_TRUE(stopping.load()) << "turned away, and it does not drain";
            return;
          }
          EXPECT_EQ(got.body, "hello\n");
          ++answered;
        }
      });
    }
    while (answered < 20) runtime::yield();
    stopping.store(true);
    EXPECT_FALSE(app.shutdown(context::background()));
    wg.wait();
  }
}

TEST(app, options_become_flags) {
  service::options how;
  service::flags flags("folio", "F.");
  service::add_flags(flags, how);
  char const* const args[] = {"--listen",
                              "127.0.0.1:1",
                              "--ops",
                              "127.0.0.1:2",
                              "--admin",
                              "none",
                              "--admin-token",
                              "hunter2",
                              "--drain-timeout",
                              "3s",
                              "--drain-delay=5s",
                              "--log-format=json",
                              "--log-level=warn",
                              "--error-stacks=sampled"};
  auto const done =
      flags.parse_from(args, [](std::string const&) { return std::optional<std::string>(); });
  ASSERT_EQ(done.next, service::flags::outcome::action::run) << done.text;
  EXPECT_EQ(how.listen, "127.0.0.1:1");
  EXPECT_EQ(how.ops, "127.0.0.1:2");
  EXPECT_EQ(how.admin, "");
  EXPECT_EQ(how.admin_token.reveal(), "hunter2");
  EXPECT_EQ(how.drain_timeout, 3s);
  EXPECT_EQ(how.drain_delay, 5s);
  EXPECT_EQ(how.log_format, log::format::json);
  EXPECT_EQ(how.log_level, log::level::warn);
  EXPECT_EQ(how.error_stacks, errors::stacks::sampled);
}

}  // namespace
}  // namespace vole
