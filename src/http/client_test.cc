// SPDX-License-Identifier: Apache-2.0
#include "vole/http/client.h"

#include <functional>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "vole/chan.h"
#include "vole/http.h"
#include "vole/http/test.h"
#include "vole/internal/format.h"
#include "vole/sync/wait_group.h"
#include "vole/synctest.h"
#include "vole/time.h"

#include "http/raw_client.h"

namespace vole::http {
namespace {

using namespace std::chrono_literals;

context const bg = context::background();

void echo(response_writer& res, request& req) {
  auto const body = req.read_body();
  ASSERT_TRUE(body) << body.error().message();
  res.header().set("X-Method", req.method());
  reply(res, 200, fmt::format("{} {} [{}]", req.host(), req.target(), *body));
}

std::string text_of(result<response> res) {
  if (!res) return res.error().message();
  auto body = res->read_all(bg);
  return body ? *body : body.error().message();
}

TEST(http_client, gets_and_posts) {
  test::memory_server server(echo);
  auto res = server.client().get(bg, "http://a.example/x?y=1#z");
  ASSERT_TRUE(res) << res.error().message();
  EXPECT_EQ(res->status(), 200);
  EXPECT_EQ(res->header().get("x-method"), "GET");
  EXPECT_EQ(res->content_length(), 19u);
  EXPECT_EQ(*res->read_all(bg), "a.example /x?y=1 []");
  EXPECT_EQ(text_of(server.client().post(bg, "http://a:81/", "text/plain", "body")),
            "a:81 / [body]");
}

TEST(http_client, makes_a_typed_error_of_a_status_that_says_no) {
  test::memory_server server([](response_writer& res, request& req) {
    if (req.path() == "/ok") return reply(res, 204, "");
    res.header().set("Retry-After", "30");
    reply(res, 503, std::string(10'000, 'x'), "text/plain");
  });
  auto fine = server.client().get(bg, "http://a/ok");
  ASSERT_TRUE(fine);
  EXPECT_FALSE(fine->require_success(bg));
  auto refused = server.client().get(bg, "http://a/no");
  ASSERT_TRUE(refused);
  error const err = refused->require_success(bg);
  EXPECT_EQ(err.message(), "answer from http://a/no: 503 Service Unavailable");
  auto const* const why = errors::as<status_error>(err);
  ASSERT_NE(why, nullptr);
  EXPECT_EQ(why->code, 503);
  EXPECT_EQ(why->body, std::string(4096, 'x'));
  EXPECT_EQ(why->content_type, "text/plain");
  EXPECT_EQ(why->retry_after, duration(30s));
}

// options_for are those of a client that talks to server.
client_options options_for(test::memory_server& server) {
  client_options options;
  options.dial = [&server](context const&, std::string_view) { return server.connect(); };
  return options;
}

TEST(http_client, sends_along_what_its_hook_sets_also_after_a_redirect) {
  test::memory_server server([](response_writer& res, request& req) {
    if (req.path() == "/old") {
      res.header().set("Location", "/new");
      return reply(res, 307, "");
    }
    reply(res, 200, fmt::format("{} {}", req.header().get("X-Hop"), req.header().get("X-Own")));
  });
  client_options options = options_for(server);
  int asked = 0;
  options.propagate = [&asked](context const&, headers& to) {
    to.set("X-Hop", fmt::to_string(++asked));
    to.set("X-Own", "the hook's");
    to.set("Host", "elsewhere");
  };
  client c(options);
  client_request req;
  req.url = "http://a/old";
  req.header.set("X-Own", "mine");
  EXPECT_EQ(text_of(c.send(bg, req)), "2 mine");
}

TEST(http_client, refuses_to_send_along_what_is_no_field) {
  test::memory_server server(echo);
  client_options options = options_for(server);
  options.propagate = [](context const&, headers& to) { to.set("X-Bad", "a\r\nb"); };
  client c(options);
  auto const res = c.get(bg, "http://a/");
  ASSERT_FALSE(res);
  EXPECT_NE(res.error().message().find("send along: "), std::string::npos) << res.error().message();
}

TEST(http_client, keeps_connections_and_counts_them) {
  test::memory_server server(echo);
  for (int i = 0; i < 10; ++i) text_of(server.client().get(bg, "http://a/"));
  client_stats const stats = server.client().stats();
  EXPECT_EQ(stats.dials_total, 1u);
  EXPECT_EQ(stats.reused_total, 9u);
  EXPECT_EQ(stats.connections_idle, 1u);
  EXPECT_EQ(stats.connections_live, 1u);
}

TEST(http_client, drops_a_small_unread_body_and_keeps_the_connection) {
  test::memory_server server(echo);
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(server.client().get(bg, "http://a/"));
  }
  EXPECT_EQ(server.client().stats().dials_total, 1u);
}

TEST(http_client, streams_an_answer_as_it_comes) {
  chan<unit> next(0);
  test::memory_server server([&](response_writer& res, request&) {
    for (int i = 0; i < 3; ++i) {
      EXPECT_FALSE(res.write(fmt::format("part {}", i)));
      EXPECT_FALSE(res.flush());
      next.recv();
    }
  });
  auto res = server.client().get(bg, "http://a/");
  ASSERT_TRUE(res) << res.error().message();
  EXPECT_EQ(res->content_length(), std::nullopt);
  for (int i = 0; i < 3; ++i) {
    std::byte buffer[64];
    auto const got = res->body().read(bg, buffer);
    ASSERT_TRUE(got);
    EXPECT_EQ(io::text(std::span(buffer).first(*got)), fmt::format("part {}", i));
    next.send({});
  }
  std::byte buffer[64];
  EXPECT_EQ(*res->body().read(bg, buffer), 0u);
}

TEST(http_client, sends_streams_of_known_and_unknown_length) {
  test::memory_server server([](response_writer& res, request& req) {
    auto const length = req.content_length();
    auto const body = req.read_body();
    if (!body) return;
    reply(res, 200,
          fmt::format("{} {}", length ? std::to_string(*length) : "chunked", body->size()));
  });
  std::string const big(300'000, 'x');
  io::bytes_reader chunked(big);
  EXPECT_EQ(
      text_of(server.client().send(bg, {.method = "PUT", .url = "http://a/", .stream = &chunked})),
      "chunked 300000");
  io::bytes_reader sized(big);
  EXPECT_EQ(
      text_of(server.client().send(
          bg, {.method = "PUT", .url = "http://a/", .stream = &sized, .stream_bytes = 300'000})),
      "300000 300000");
  io::bytes_reader early(std::string_view("short"));
  EXPECT_EQ(text_of(server.client().send(
                bg, {.method = "PUT", .url = "http://a/", .stream = &early, .stream_bytes = 9})),
            "PUT http://a/: request's body ended 4 bytes early");
}

TEST(http_client, waits_for_100_continue) {
  int handled = 0;
  test::memory_server server([&](response_writer& res, request& req) {
    ++handled;
    if (req.path() == "/no") return reply(res, 403, "no");
    echo(res, req);
  });
  client_request req{.method = "POST", .url = "http://a/yes", .body = "body"};
  req.header.set("Expect", "100-continue");
  EXPECT_EQ(text_of(server.client().send(bg, req)), "a /yes [body]");
  req.url = "http://a/no";
  auto res = server.client().send(bg, req);
  ASSERT_TRUE(res);
  EXPECT_EQ(res->status(), 403);
  EXPECT_EQ(handled, 2);
}

// answered_by is what a client gets over a connection whose other end is `serve`, in a bubble:
// nobody waits in truth.
std::string answered_by(client_request const& req, std::function<void(raw_client&)> const& serve) {
  std::string got;
  synctest::test([&] {
    auto [near, far] = net::pipe();
    auto const shared = std::make_shared<std::unique_ptr<net::conn>>(std::move(near));
    client c(
        {.dial = [shared](context const&, std::string_view) -> result<std::unique_ptr<net::conn>> {
          return std::move(*shared);
        }});
    sync::wait_group serving;
    serving.go([&, far = std::move(far)]() mutable {
      raw_client peer(std::move(far));
      serve(peer);
    });
    got = text_of(c.send(bg, req));
    c.close_idle();
    serving.wait();
  });
  return got;
}

TEST(go_synctest, TestHTTPTransport100Continue) {
  client_request req{.method = "PUT", .url = "http://test.tld/", .body = "request body"};
  req.header.set("Expect", "100-continue");
  answered_by(req, [](raw_client& peer) {
    peer.read_until("\r\n\r\n");
    std::string body;
    sync::wait_group reading;
    reading.go([&] { body = peer.read_until("body"); });
    synctest::wait();
    EXPECT_EQ(body, "");
    peer.send("HTTP/1.1 100 Continue\r\n\r\n");
    synctest::wait();
    EXPECT_EQ(body, "request body");
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    reading.wait();
  });
}

TEST(http_client, takes_an_answer_that_comes_before_the_server_has_the_body) {
  std::string const large(1 << 20, 'x');
  auto const refuse = [](raw_client& peer) {
    peer.read_until("\r\n\r\n");
    peer.send("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig");
    static_cast<void>(time::sleep(bg, std::chrono::minutes(1)));  // and takes nothing of it
  };
  EXPECT_EQ(answered_by({.method = "POST", .url = "http://a/", .body = large}, refuse), "big");
}

TEST(http_client, sends_all_of_a_body_that_is_answered_early_and_taken) {
  std::string const large(1 << 20, 'x');
  std::size_t taken = 0;
  answered_by({.method = "POST", .url = "http://a/", .body = large}, [&](raw_client& peer) {
    peer.read_until("\r\n\r\n");
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    taken = peer.rest().size();
  });
  EXPECT_EQ(taken, large.size());
}

TEST(http_client, waits_for_the_rest_of_an_answer_that_began_instead_of_a_100) {
  client_request req{.method = "POST", .url = "http://a/", .body = "body"};
  req.header.set("Expect", "100-continue");
  EXPECT_EQ(answered_by(req,
                        [](raw_client& peer) {
                          peer.read_until("\r\n\r\n");
                          peer.send("HTTP/1.1 403 For");
                          static_cast<void>(time::sleep(bg, std::chrono::seconds(2)));
                          peer.send("bidden\r\nContent-Length: 2\r\n\r\nno");
                        }),
            "no");
}

TEST(http_client, reads_chunked_answers_with_trailers) {
  auto [near, far] = net::pipe();
  auto connections = std::make_shared<std::vector<std::unique_ptr<net::conn>>>();
  connections->push_back(std::move(near));
  client c({.dial = [connections](context const&,
                                  std::string_view) -> result<std::unique_ptr<net::conn>> {
    if (connections->empty()) return errors::make("no more");
    auto conn = std::move(connections->back());
    connections->pop_back();
    return conn;
  }});
  raw_client peer(std::move(far));
  peer.send(
      "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nSum: 1\r\n\r\n");
  auto res = c.get(bg, "http://a/");
  ASSERT_TRUE(res) << res.error().message();
  EXPECT_EQ(*res->read_all(bg), "abc");
  EXPECT_EQ(res->trailer().get("sum"), "1");
}

TEST(http_client, does_not_take_bytes_nobody_asked_for_as_an_answer) {
  auto listener = net::listen("tcp", "127.0.0.1:0");
  ASSERT_TRUE(listener);
  chan<unit> poisoned(0);
  sync::wait_group serving;
  serving.go([&] {
    for (int i = 0; i < 2; ++i) {
      auto conn = (*listener)->accept(bg);
      ASSERT_TRUE(conn);
      raw_client peer(*std::move(conn));
      peer.read_until("\r\n\r\n");
      peer.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood");
      if (i == 1) return;
      poisoned.recv();
      peer.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
      poisoned.recv();
    }
  });
  net::conn* used = nullptr;
  client c({.dial = [&](context const& ctx,
                        std::string_view address) -> result<std::unique_ptr<net::conn>> {
    auto dialed = net::dial(ctx, "tcp", address);
    if (dialed && used == nullptr) used = dialed->get();
    return dialed;
  }});
  std::string const url = fmt::format("http://{}/", (*listener)->addr().text());
  EXPECT_EQ(text_of(c.get(bg, url)), "good");
  poisoned.send({});
  poisoned.send({});
  EXPECT_FALSE(used->wait_readable(bg));  // what was sent has come
  EXPECT_EQ(text_of(c.get(bg, url)), "good");
  serving.wait();
}

// scripted is a listener whose connections are answered by a function, for answers no server of
// ours would give.
struct scripted {
  explicit scripted(std::function<void(raw_client&, int)> answer) {
    serving.go([this, answer] {
      for (int i = 0;; ++i) {
        auto conn = listener.accept(bg);
        if (!conn) return;
        raw_client peer(*std::move(conn));
        answer(peer, i);
      }
    });
  }
  ~scripted() {
    EXPECT_FALSE(listener.close());
    serving.wait();
  }
  client_options options() {
    return {.dial = [this](context const& ctx, std::string_view) { return listener.dial(ctx); }};
  }

  net::pipe_listener listener;
  sync::wait_group serving;
};

TEST(http_client, refuses_malformed_answers) {
  struct {
    char const* text;
    char const* message;
  } const table[] = {
      {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
       "GET http://a/: more than one Content-Length: malformed response"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx",
       "GET http://a/: both Content-Length and Transfer-Encoding: malformed response"},
      {"HTTP/1.1 200 OK\nContent-Length: 1\r\n\r\nx",
       "GET http://a/: control character in the status line: malformed response"},
      {"SSH-2.0-OpenSSH\r\n", "GET http://a/: malformed status line: malformed response"},
      {"HTTP/1.1 101 Switching Protocols\r\n\r\n",
       "GET http://a/: protocol switch nobody asked for: malformed response"},
      {"HTTP/1.1 2", "GET http://a/: unexpected end of stream"},
      {"", "GET http://a/: unexpected end of stream"},
  };
  for (auto const& t : table) {
    scripted server([&](raw_client& peer, int) {
      peer.read_until("\r\n\r\n");
      peer.send(t.text);
    });
    client c(server.options());
    EXPECT_EQ(text_of(c.get(bg, "http://a/")), t.message);
  }
}

TEST(http_client, an_answer_cut_short_is_an_error) {
  scripted server([&](raw_client& peer, int i) {
    peer.read_until("\r\n\r\n");
    peer.send(i == 0 ? "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab"
                     : "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  });
  client c(server.options());
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(text_of(c.get(bg, "http://a/")),
              "read the response of http://a/: unexpected end of stream");
  }
  EXPECT_EQ(c.stats().connections_live, 0u);
}

TEST(http_client, read_all_has_a_limit) {
  test::memory_server server(
      [](response_writer& res, request&) { reply(res, 200, std::string(100, 'x')); });
  auto res = server.client().get(bg, "http://a/");
  ASSERT_TRUE(res);
  auto const body = res->read_all(bg, 99);
  ASSERT_FALSE(body);
  EXPECT_NE(errors::as<io::limit_error>(body.error()), nullptr);
}

TEST(http_client, tries_again_when_a_pooled_connection_was_closed) {
  // Each connection answers once and is closed without a word.
  scripted server([](raw_client& peer, int i) {
    peer.read_until("\r\n\r\n");
    peer.send(fmt::format("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{}", i));
    if (i < 3) peer.read_until("\r\n\r\n");
  });
  client c(server.options());
  EXPECT_EQ(text_of(c.get(bg, "http://a/")), "0");
  EXPECT_EQ(text_of(c.get(bg, "http://a/")), "1");
  EXPECT_EQ(c.stats().retries_total, 1u);
  client_request post{.method = "POST", .url = "http://a/", .body = "x"};
  EXPECT_TRUE(text_of(c.send(bg, post)).starts_with("POST http://a/: ")) << "sent once only";
  EXPECT_EQ(text_of(c.get(bg, "http://a/")), "2");
  post.header.set("Idempotency-Key", "k");
  EXPECT_EQ(text_of(c.send(bg, post)), "3");
}

TEST(http_client, follows_redirects) {
  mux m;
  auto const to = [](std::string where, int code) {
    return [where, code](response_writer& res, request& req) { redirect(res, req, where, code); };
  };
  m.handle("/a", to("/b?x", 302));
  m.handle("/b", to("http://other/c", 307));
  m.handle("/keep", to("/c", 308));
  m.handle("/see", to("c", 303));
  m.handle("/loop", to("/loop", 301));
  m.handle("/bad", to("ftp://x/", 301));
  m.handle("/c", [](response_writer& res, request& req) {
    auto const body = req.read_body();
    reply(res, 200,
          fmt::format("{} {} {} auth={}", req.method(), req.host(), *body,
                      req.header().get("Authorization")));
  });
  test::memory_server server(m);
  client_request req{.url = "http://first/a"};
  req.header.set("Authorization", "secret");
  auto res = server.client().send(bg, req);
  ASSERT_TRUE(res) << res.error().message();
  EXPECT_EQ(res->url(), "http://other/c");
  EXPECT_EQ(*res->read_all(bg), "GET other  auth=");
  EXPECT_EQ(text_of(server.client().post(bg, "http://a/keep", "text/plain", "body")),
            "POST a body auth=");
  EXPECT_EQ(text_of(server.client().post(bg, "http://a/see", "text/plain", "body")),
            "GET a  auth=");
  EXPECT_EQ(text_of(server.client().get(bg, "http://a/loop")),
            "GET http://a/loop: stopped after 10 redirects, at http://a/loop");
  EXPECT_EQ(text_of(server.client().get(bg, "http://a/bad")),
            "GET http://a/bad: follow a redirect from http://a/bad: url \"ftp://x/\": unsupported "
            "scheme \"ftp\"");
}

TEST(http_client, asks_before_it_follows_a_redirect) {
  test::memory_server server(
      [](response_writer& res, request& req) { redirect(res, req, "http://evil/", 302); });
  client guarded(
      {.on_redirect =
           [](std::string_view from, std::string_view to) {
             return errors::make("no redirect from {} to {}", from, to);
           },
       .dial = [&](context const&, std::string_view) -> result<std::unique_ptr<net::conn>> {
         return server.connect();
       }});
  EXPECT_EQ(text_of(guarded.get(bg, "http://a/")),
            "GET http://a/: no redirect from http://a/ to http://evil/");
  client off({.redirects_max = 0,
              .dial = [&](context const&, std::string_view) -> result<std::unique_ptr<net::conn>> {
                return server.connect();
              }});
  auto res = off.get(bg, "http://a/");
  ASSERT_TRUE(res);
  EXPECT_EQ(res->status(), 302);
}

TEST(http_client, says_what_failed) {
  client c;
  auto listener = net::listen("tcp", "127.0.0.1:0");
  ASSERT_TRUE(listener);
  std::string const address = (*listener)->addr().text();
  EXPECT_FALSE((*listener)->close());
  EXPECT_EQ(text_of(c.get(bg, fmt::format("http://{}/x", address))),
            fmt::format("GET http://{0}/x: connect to {0}: connection refused", address));
  EXPECT_EQ(text_of(c.get(bg, "https://a/")),
            "GET https://a/: url \"https://a/\": unsupported scheme \"https\"");
  EXPECT_EQ(text_of(c.send(bg, {.method = "B AD", .url = "http://a/"})),
            "B AD http://a/: \"B%20AD\" is not a method");
  client_request split{.url = "http://a/"};
  split.header.set("X", "a\r\nb");
  EXPECT_EQ(text_of(c.send(bg, split)),
            "GET http://a/: http: field X: control character in its value");
}

TEST(http_client, a_context_ends_every_wait_at_once) {
  chan<unit> asked(4);
  scripted server([&](raw_client& peer, int) {
    peer.read_until("\r\n\r\n");
    asked.send({});
    EXPECT_EQ(peer.rest(), "");
  });
  client_options options = server.options();
  options.connections_per_host_max = 1;
  client c(std::move(options));
  auto [ctx, cancel] = context::with_cancel(bg);
  sync::wait_group waiting;
  for (int i = 0; i < 2; ++i) {  // one waits for the answer, the other for a place
    waiting.go([&, ctx = ctx] {
      auto const res = c.get(ctx, "http://a/");
      EXPECT_FALSE(res);
      EXPECT_TRUE(errors::is(res.error(), context::canceled)) << res.error().message();
    });
  }
  asked.recv();
  cancel();
  waiting.wait();
  EXPECT_EQ(c.stats().connections_live, 0u);
}

TEST(http_client, an_answer_that_does_not_come_is_a_timeout) {
  scripted server([&](raw_client& peer, int) { EXPECT_NE(peer.rest(), ""); });
  client_options options = server.options();
  options.response_header_timeout = 20ms;
  client c(std::move(options));
  auto const res = c.get(bg, "http://a/");
  ASSERT_FALSE(res);
  EXPECT_TRUE(errors::is(res.error(), net::timed_out));
  EXPECT_TRUE(res.error().message().starts_with("GET http://a/: wait for the response: "));
}

TEST(http_client, an_early_answer_to_a_large_body_is_heard) {
  scripted server([&](raw_client& peer, int) {
    peer.read_until("\r\n\r\n");
    peer.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  });
  client c(server.options());
  auto const res = c.post(bg, "http://a/", "text/plain", std::string(1 << 20, 'x'));
  ASSERT_TRUE(res) << res.error().message();
  EXPECT_EQ(res->status(), 413);
}

TEST(http_client, idle_connections_are_closed_in_time) {
  chan<unit> closed(1);
  scripted server([&](raw_client& peer, int) {
    peer.read_until("\r\n\r\n");
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    EXPECT_EQ(peer.rest(), "");
    closed.send({});
  });
  client_options options = server.options();
  options.idle_timeout = 20ms;
  client c(std::move(options));
  EXPECT_EQ(text_of(c.get(bg, "http://a/")), "");
  closed.recv();
  EXPECT_EQ(c.stats().connections_live, 0u);
}

}  // namespace
}  // namespace vole::http
