// SPDX-License-Identifier: Apache-2.0
// Whole connections of broken bytes: the server answers or hangs up, and goes on.
#include <gtest/gtest.h>
#include <random>
#include <string>
#include <vector>

#include "vole/http.h"
#include "vole/http/test.h"

#include "http/raw_client.h"

namespace vole::http {
namespace {

std::vector<std::string> const& seeds() {
  static std::vector<std::string> const all = {
      "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET /a/../b//c?x=%41 HTTP/1.1\r\nHost: a:80\r\nConnection: keep-alive\r\n\r\n"
      "GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
      "POST /u HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
      "HEAD /u HTTP/1.1\r\nHost: a\r\n\r\n",
      "POST /u HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nTrailer-Field: z\r\n\r\nGET / HTTP/1.0\r\n\r\n",
      "PUT /u HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
      "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\nGET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n",
  };
  return all;
}

// mutate changes, drops, repeats or inserts a few bytes of what a request is made of.
std::string mutate(std::string text, std::mt19937& random) {
  auto const below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  static constexpr std::string_view special("\r\n\0 :;,%/#\t0fx\x7f\xff", 17);
  for (std::size_t edits = below(4); edits > 0 && !text.empty(); --edits) {
    std::size_t const at = below(text.size());
    switch (below(4)) {
      case 0:
        text[at] = special[below(special.size())];
        break;
      case 1:
        text.erase(at, 1 + below(4));
        break;
      case 2:
        text.insert(at, 1 + below(3), special[below(special.size())]);
        break;
      default:
        text.insert(at, text.substr(at, 1 + below(40)));
        break;
    }
  }
  return text;
}

TEST(http_server_garbage, whatever_is_sent_ends_in_an_answer_or_a_close) {
  mux m;
  m.handle("/", [](response_writer& res, request& req) {
    auto const body = req.read_body();
    if (!body) return;
    res.header().set("X-Path", req.path());
    reply(res, status::ok, *body);
  });
  server_options options{.handler = m, .idle_timeout = std::chrono::seconds(5)};
  test::memory_server server(std::move(options));
  std::mt19937 random(20240611);
  for (int i = 0; i < 3000; ++i) {
    std::string text = mutate(seeds()[random() % seeds().size()], random);
    raw_client c(server.connect());
    while (!text.empty()) {
      std::size_t const step = 1 + random() % text.size();
      // The server may have hung up in the middle of it.
      if (c.conn().write(context::background(), io::bytes(text.substr(0, step)))) break;
      text.erase(0, step);
    }
    static_cast<void>(c.conn().close_write());
    std::string const got = c.rest();
    EXPECT_TRUE(got.empty() || got.starts_with("HTTP/1.1 ")) << got;
  }
  // It still serves.
  auto res = server.client().get(context::background(), "http://a/");
  ASSERT_TRUE(res) << res.error().message();
  EXPECT_EQ(res->status(), 200);
}

}  // namespace
}  // namespace vole::http
