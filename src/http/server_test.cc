// SPDX-License-Identifier: Apache-2.0
// The server over in-memory pipes: what goes in as bytes, what comes out.
#include "vole/http/server.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <stdexcept>
#include <string>
#include <vector>

#include "vole/http.h"
#include "vole/http/test.h"
#include "vole/internal/format.h"
#include "vole/sync/wait_group.h"
#include "vole/synctest.h"
#include "vole/testing.h"
#include "vole/time.h"

#include "http/raw_client.h"

namespace vole::http {
namespace {

using namespace std::chrono_literals;

// echo answers with what it was asked.
void echo(response_writer& res, request& req) {
  auto const body = req.read_body();
  if (!body) return;  // the server answers with what the error deserves
  reply(res, 200, fmt::format("{} {} [{}]", req.method(), req.target(), *body));
}

TEST(http_server, answers_a_request) {
  test::memory_server server(echo);
  raw_client c(server.connect());
  c.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
  std::string const got = c.response();
  EXPECT_TRUE(got.starts_with("HTTP/1.1 200 OK\r\nDate: ")) << got;
  EXPECT_TRUE(got.ends_with("Content-Length: 9\r\n\r\nGET /a []")) << got;
}

TEST(http_server, keeps_the_connection_for_more) {
  test::memory_server server(echo);
  raw_client c(server.connect());
  for (int i = 0; i < 5; ++i) {
    c.send(fmt::format("POST /{} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab", i));
    EXPECT_TRUE(c.response().ends_with(fmt::format("POST /{} [ab]", i)));
  }
  EXPECT_EQ(server.server().stats().connections_total, 1u);
  EXPECT_EQ(server.server().stats().requests_total, 5u);
}

TEST(http_server, takes_requests_byte_by_byte) {
  test::memory_server server(echo);
  raw_client c(server.connect());
  std::string const text =
      "POST /slow HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nabc\r\n2;e\r\nde\r\n0\r\nT: v\r\n\r\n";
  for (char const b : text) c.send({&b, 1});
  EXPECT_TRUE(c.response().ends_with("POST /slow [abcde]"));
}

TEST(http_server, answers_pipelined_requests_in_order) {
  test::memory_server server(echo);
  raw_client c(server.connect());
  std::string all;
  for (int i = 0; i < 100; ++i) {
    all += i % 2 == 0
               ? fmt::format("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", i)
               : fmt::format("POST /{} HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", i);
  }
  c.send(all);
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(c.response().ends_with(i % 2 == 0 ? fmt::format("GET /{} []", i)
                                                  : fmt::format("POST /{} [abc]", i)));
  }
}

TEST(http_server, closes_when_the_client_asks_and_after_http_1_0) {
  for (char const* text :
       {"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "GET / HTTP/1.0\r\n\r\n"}) {
    test::memory_server server(echo);
    raw_client c(server.connect());
    c.send(text);
    EXPECT_NE(c.rest().find("Connection: close\r\n"), std::string::npos);
  }
}

TEST(http_server, refuses_malformed_messages_with_the_right_status_and_closes) {
  std::vector<std::string> told;
  server_options options{.handler = echo};
  options.hooks.on_connection_error = [&](std::string_view, error const& err) {
    told.push_back(err.message());
  };
  struct {
    std::string text;
    char const* status;
  } const table[] = {
      {"GET / HTTP/1.1\nHost: x\n\n", "400"},
      {"GET / HTTP/1.1\r\n\r\n", "400"},
      {"GET / HTTP/3.0\r\nHost: x\r\n\r\n", "505"},
      {"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", "400"},
      {"GET /" + std::string(9000, 'a'), "414"},
      {"GET / HTTP/1.1\r\nHost: x\r\nA: " + std::string(70'000, 'a'), "431"},
      {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "501"},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
       "400"},
      {"\x16\x03\x01\x02\x05", "400"},
  };
  test::memory_server server(std::move(options));
  for (auto const& t : table) {
    raw_client c(server.connect());
    c.send(t.text);
    std::string const got = c.rest();
    EXPECT_TRUE(got.starts_with(fmt::format("HTTP/1.1 {} ", t.status))) << got;
    EXPECT_NE(got.find("Connection: close\r\n"), std::string::npos) << got;
  }
  EXPECT_EQ(told.size(), std::size(table));
  EXPECT_EQ(told[0],
            "http: malformed HTTP version or line end in the request line (byte 14 of the message, "
            "answered 400)");
}

TEST(http_server, a_refusal_of_ones_own_answers_what_no_handler_sees) {
  server_options options{.handler = [](response_writer&, request&) {}};
  options.refusal = [](response_writer& res, refused_message const& why) {
    reply(res, why.status, fmt::format("{{\"reason\":\"{}\"}}", why.reason), "application/json");
  };
  test::memory_server server(std::move(options));
  raw_client c(server.connect());
  c.send("GET / HTTP/1.1\r\n\r\n");
  std::string const got = c.rest();
  EXPECT_TRUE(got.starts_with("HTTP/1.1 400 ")) << got;
  EXPECT_NE(got.find("Content-Type: application/json\r\n"), std::string::npos) << got;
  EXPECT_NE(got.find("Connection: close\r\n"), std::string::npos) << got;
  EXPECT_TRUE(got.ends_with(R"({"reason":"HTTP/1.1 request without Host"})")) << got;
}

TEST(http_server, a_refusal_of_ones_own_that_fails_hurts_nobody) {
  using refusal = decltype(server_options::refusal);
  struct {
    refusal answer;
    std::string_view begins;
  } const table[] = {
      {[](response_writer&, refused_message const&) {}, "HTTP/1.1 400 "},
      {[](response_writer&, refused_message const&) { throw 1; }, "HTTP/1.1 400 "},
      {[](response_writer& res, refused_message const& why) {
         reply(res, why.status, "half");
         throw 1;
       },
       "HTTP/1.1 400 "},
      {[](response_writer& res, refused_message const&) {
         static_cast<void>(
             res.hijack().value().conn->write(context::background(), io::bytes("taken")));
       },
       "taken"},
  };
  for (auto const& t : table) {
    test::memory_server server(
        server_options{.handler = [](response_writer&, request&) {}, .refusal = t.answer});
    raw_client c(server.connect());
    c.send("GET / HTTP/1.1\r\n\r\n");
    std::string const got = c.rest();
    EXPECT_TRUE(got.starts_with(t.begins)) << got;
    EXPECT_EQ(got.find("half"), std::string::npos) << got;
  }
}

TEST(http_server, a_request_behind_a_refused_one_is_never_seen) {
  int handled = 0;
  test::memory_server server([&](response_writer&, request&) { ++handled; });
  raw_client c(server.connect());
  c.send(
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n"
      "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(c.rest().starts_with("HTTP/1.1 400 "));
  EXPECT_EQ(handled, 0);
}

TEST(http_server, bodies_past_the_limit_are_413) {
  server_options options{.handler = echo, .body_bytes_max = 10};
  test::memory_server server(std::move(options));
  raw_client declared(server.connect());
  declared.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n");
  EXPECT_TRUE(declared.rest().starts_with("HTTP/1.1 413 "));
  raw_client chunked(server.connect());
  chunked.send(
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n12345678901\r\n");
  EXPECT_TRUE(chunked.rest().starts_with("HTTP/1.1 413 "));
  raw_client fits(server.connect());
  fits.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n1234567890");
  EXPECT_TRUE(fits.response().starts_with("HTTP/1.1 200 "));
}

TEST(http_server, a_route_can_have_its_own_body_limit) {
  mux m;
  m.handle("POST /small", chain(echo, {max_body(4)}));
  m.handle("POST /large", chain(echo, {max_body(1 << 24)}));
  test::memory_server server(m);
  raw_client c(server.connect());
  c.send("POST /large HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n" +
         std::string(3'000'000, 'x'));
  EXPECT_TRUE(c.response().starts_with("HTTP/1.1 200 "));
  c.send("POST /small HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12345");
  EXPECT_TRUE(c.rest().starts_with("HTTP/1.1 413 "));
}

TEST(http_server, broken_chunks_are_400_and_end_the_connection) {
  test::memory_server server(echo);
  raw_client c(server.connect());
  c.send(
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n");
  EXPECT_TRUE(c.rest().starts_with("HTTP/1.1 400 "));
}

TEST(http_server, streams_bodies_both_ways) {
  test::memory_server server([](response_writer& res, request& req) {
    auto const copied = io::copy(context::background(), res, req.body());
    EXPECT_TRUE(copied) << copied.error().message();
  });
  raw_client c(server.connect());
  c.send("POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 200000\r\n\r\n");
  sync::wait_group sender;  // beside the reading: neither end buffers it all
  sender.go([&c] {
    for (int i = 0; i < 2; ++i) c.send(std::string(100'000, '~'));
  });
  std::string const got = c.rest();
  sender.wait();
  EXPECT_NE(got.find("Transfer-Encoding: chunked\r\n"), std::string::npos);
  EXPECT_EQ(std::ranges::count(got, '~'), 200'000);
  EXPECT_TRUE(got.ends_with("\r\n0\r\n\r\n"));
}

TEST(http_server, a_body_can_be_asked_for_twice) {
  test::memory_server server([](response_writer& res, request& req) {
    auto const first = req.read_body();
    auto const second = req.read_body();
    ASSERT_TRUE(first && second);
    reply(res, 200, fmt::format("{}{}", *first, *second));
  });
  raw_client c(server.connect());
  c.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab");
  EXPECT_TRUE(c.response().ends_with("\r\n\r\nabab"));
  c.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\ncd\r\n0\r\n\r\n");
  EXPECT_TRUE(c.response().ends_with("\r\n\r\ncdcd"));
}

TEST(http_server, trailers_are_there_after_the_body) {
  test::memory_server server([](response_writer& res, request& req) {
    EXPECT_TRUE(req.read_body());
    reply(res, 200, req.trailer().get("x-sum"));
  });
  raw_client c(server.connect());
  c.send(
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Sum: "
      "97\r\n\r\n");
  EXPECT_TRUE(c.response().ends_with("\r\n\r\n97"));
}

TEST(http_server, says_100_continue_when_the_handler_reads) {
  test::memory_server server(echo);
  raw_client c(server.connect());
  c.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(c.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  c.send("ok");
  EXPECT_TRUE(c.response().ends_with("POST / [ok]"));
  c.send("GET /next HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(c.response().ends_with("GET /next []"));
}

TEST(http_server, a_refusal_before_the_body_spares_it_and_closes) {
  test::memory_server server(
      [](response_writer& res, request&) { reply_error(res, 403, "forbidden"); });
  raw_client c(server.connect());
  c.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  std::string const got = c.rest();
  EXPECT_TRUE(got.starts_with("HTTP/1.1 403 ")) << got;
  EXPECT_NE(got.find("Connection: close"), std::string::npos);
}

TEST(http_server, an_unread_body_is_drained_when_small_and_cut_when_large) {
  test::memory_server server([](response_writer& res, request&) { reply(res, 200, "ok"); });
  raw_client c(server.connect());
  c.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 50000\r\n\r\n" + std::string(50'000, 'x'));
  EXPECT_TRUE(c.response().ends_with("ok"));
  c.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n");
  EXPECT_TRUE(c.response().ends_with("ok"));
  c.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n");
  EXPECT_TRUE(c.rest().ends_with("ok"));
}

TEST(http_server, head_204_and_304_have_no_body) {
  test::memory_server server([](response_writer& res, request& req) {
    if (req.path() == "/204") return res.write_header(204);
    if (req.path() == "/304") return res.write_header(304);
    reply(res, 200, "body");
  });
  raw_client c(server.connect());
  c.send(
      "HEAD / HTTP/1.1\r\nHost: x\r\n\r\nGET /204 HTTP/1.1\r\nHost: x\r\n\r\n"
      "GET /304 HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(c.read_until("\r\n\r\n").ends_with("Content-Length: 4\r\n\r\n"));
  EXPECT_TRUE(c.read_until("\r\n\r\n").starts_with("HTTP/1.1 204 No Content\r\n"));
  EXPECT_TRUE(c.read_until("\r\n\r\n").starts_with("HTTP/1.1 304 Not Modified\r\n"));
  EXPECT_TRUE(c.response().ends_with("body"));
}

TEST(http_server, an_exception_becomes_a_500_and_is_told) {
  std::string told;
  server_options options{.handler = [](response_writer& res, request& req) {
    if (req.path() == "/late") static_cast<void>(res.flush());
    throw std::runtime_error("foreign");
  }};
  options.hooks.on_exception = [&](request& req, std::string_view what) {
    told += fmt::format("{}:{};", req.path(), what);
  };
  test::memory_server server(std::move(options));
  raw_client c(server.connect());
  c.send("GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(c.rest().starts_with("HTTP/1.1 500 "));
  raw_client late(server.connect());
  late.send("GET /late HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_FALSE(late.rest().ends_with("0\r\n\r\n")) << "a cut stream must not look complete";
  EXPECT_EQ(told, "/x:foreign;/late:foreign;");
}

TEST(http_server, tells_about_every_request) {
  std::vector<std::string> told;
  mux m;
  m.handle("POST /v1/{id}", echo);
  server_options options{.handler = m};
  options.hooks.on_request_done = [&](request_record const& r) {
    told.push_back(fmt::format("{} {} {} {} {} in={} out={} {}", r.method, r.target, r.host,
                               r.pattern, r.status, r.bytes_received, r.bytes_sent,
                               r.err ? r.err.message() : "ok"));
    EXPECT_GT(r.elapsed, duration::zero());
    EXPECT_EQ(r.remote_addr, "pipe");
  };
  test::memory_server server(std::move(options));
  raw_client c(server.connect());
  c.send("POST /v1/7?q HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab");
  c.response();
  c.send("GET /v1/7 HTTP/1.1\r\nHost: h\r\n\r\n");
  c.response();
  c.send("GET /bye HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  c.rest();
  ASSERT_EQ(told.size(), 3u);
  EXPECT_EQ(told[0], "POST /v1/7?q h POST /v1/{id} 200 in=2 out=17 ok");
  EXPECT_EQ(told[1], "GET /v1/7 h  405 in=0 out=23 ok");
  EXPECT_EQ(told[2], "GET /bye h  404 in=0 out=19 ok");
}

TEST(http_server, hands_a_connection_over) {
  test::memory_server server([](response_writer& res, request&) {
    auto taken = res.hijack();
    ASSERT_TRUE(taken);
    EXPECT_EQ(taken->buffered, "early");
    error const err = taken->conn->write(context::background(), io::bytes("raw bytes"));
    EXPECT_FALSE(err);
  });
  raw_client c(server.connect());
  c.send("GET / HTTP/1.1\r\nHost: x\r\n\r\nearly");
  EXPECT_EQ(c.rest(), "raw bytes");
}

TEST(http_server, body_of_a_connection_handed_over_is_not_to_be_had) {
  error seen;
  {
    test::memory_server server([&](response_writer& res, request& req) {
      auto taken = res.hijack();
      ASSERT_TRUE(taken);
      seen = req.read_body().error();
    });
    raw_client c(server.connect());
    c.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n");
    EXPECT_EQ(c.rest(), "");
  }
  EXPECT_TRUE(errors::is(seen, hijacked_connection)) << seen.message();
}

TEST(http_server, one_too_many_is_503) {
  server_options options{.handler = echo, .connections_max = 1};
  test::memory_server server(std::move(options));
  raw_client first(server.connect());
  first.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  first.response();
  raw_client second(server.connect());
  std::string const got = second.rest();
  EXPECT_TRUE(got.starts_with("HTTP/1.1 503 ")) << got;
  EXPECT_NE(got.find("Retry-After: 1\r\n"), std::string::npos) << got;
  EXPECT_TRUE(got.ends_with("too many connections\n")) << got;
  EXPECT_EQ(server.server().stats().connections_refused_total, 1u);
}

TEST(http_server, one_too_many_may_still_send_what_it_was_about_to) {
  synctest::test([] {
    server_options options{.handler = echo, .connections_max = 0};
    test::memory_server server(std::move(options));
    raw_client c(server.connect());
    EXPECT_TRUE(c.rest().starts_with("HTTP/1.1 503 "));
    synctest::wait();
    c.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n");
    c.send("abc");
  });
}

// More than a goroutine has that was not given more.
[[gnu::noinline]] void use_half_a_mebibyte() {
  char frame[512 << 10];
  frame[0] = 1;
  asm volatile("" ::"r"(frame) : "memory");
}

TEST(http_server, handlers_and_refusals_have_the_stack_that_was_asked_for) {
  for (std::size_t const connections : {std::size_t{1}, std::size_t{0}}) {
    server_options options;
    options.stack_bytes = 1 << 20;
    options.connections_max = connections;
    options.handler = [](response_writer& res, request&) {
      use_half_a_mebibyte();
      reply(res, 200, "served");
    };
    options.refusal = [](response_writer& res, refused_message const&) {
      use_half_a_mebibyte();
      reply(res, 503, "refused");
    };
    test::memory_server server(std::move(options));
    raw_client c(server.connect());
    if (connections > 0) c.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    EXPECT_TRUE(c.rest().ends_with(connections > 0 ? "served" : "refused"));
  }
}

TEST(http_server_death, refuses_a_stack_that_cannot_be_had) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(server({.handler = echo, .stack_bytes = (8 << 20) + 1}),
               "http::server: stacks of 8388609 bytes are more than vole makes");
}

TEST(http_server, one_line_end_before_a_request_is_passed_over) {
  test::memory_server server(echo);
  raw_client c(server.connect());
  c.send("\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(c.response().starts_with("HTTP/1.1 200 "));
  c.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx\r\n");
  EXPECT_TRUE(c.response().starts_with("HTTP/1.1 200 "));
  c.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n\r");
  EXPECT_TRUE(c.response().starts_with("HTTP/1.1 200 "));
  c.send("\nGET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(c.response().starts_with("HTTP/1.1 200 "));
  c.send("\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(c.rest().starts_with("HTTP/1.1 400 "));
}

TEST(http_server, a_line_end_alone_begins_no_request) {
  synctest::test([] {
    test::memory_server server(echo);
    raw_client c(server.connect());
    c.conn().set_deadline(never);
    c.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n\r\n");
    EXPECT_TRUE(c.response().starts_with("HTTP/1.1 200 "));
    EXPECT_EQ(c.rest(), "") << "closed as idle, not told that its request came too slowly";
  });
}

TEST(http_server, an_absolute_target_names_the_host) {
  test::memory_server server([](response_writer& res, request& req) {
    reply(res, 200, fmt::format("{} {}", req.host(), req.path()));
  });
  raw_client c(server.connect());
  c.send("GET http://real:81/p HTTP/1.1\r\nHost: other\r\n\r\n");
  EXPECT_TRUE(c.response().ends_with("\r\n\r\nreal:81 /p"));
}

TEST(http_server, large_heads_keep_their_views_while_the_body_comes) {
  test::memory_server server([](response_writer& res, request& req) {
    auto const body = req.read_body();
    ASSERT_TRUE(body);
    reply(res, 200, fmt::format("{} {}", req.header().get("big").size(), body->size()));
  });
  for (std::size_t const size : {3'900, 4'050, 8'000, 60'000}) {
    raw_client c(server.connect());
    c.send(
        fmt::format("POST / HTTP/1.1\r\nHost: x\r\nBig: {}\r\nTransfer-Encoding: chunked\r\n\r\n",
                    std::string(size, 'b')));
    for (int i = 0; i < 20; ++i) c.send("3e8\r\n" + std::string(1000, 'c') + "\r\n");
    c.send("0\r\n\r\n");
    EXPECT_TRUE(c.response().ends_with(fmt::format("\r\n\r\n{} 20000", size)));
  }
}

}  // namespace
}  // namespace vole::http
