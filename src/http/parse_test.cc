// SPDX-License-Identifier: Apache-2.0
// The head parser and the meaning of heads: what is accepted, and the table of what must never be.
#include "http/parse.h"

#include <gtest/gtest.h>
#include <string>
#include <string_view>
#include <vector>

#include "http/framing.h"

namespace vole::http::internal {
namespace {

using namespace std::string_literals;

// What became of a head: 0 for accepted, else the status that refuses it.
struct verdict {
  int status = 0;
  std::string what;
  std::size_t size = 0;
  head_info info;
};

verdict judge(std::string_view text, head_parser& parser) {
  verdict v;
  switch (parser.parse(text)) {
    case parse_state::more:
      v.status = -1;
      return v;
    case parse_state::failed:
      v.status = parser.failure().status;
      v.what = parser.failure().what;
      return v;
    case parse_state::done:
      break;
  }
  v.size = parser.size();
  parse_failure why;
  if (!read_request_head(parser, text, v.info, why)) {
    v.status = why.status;
    v.what = why.what;
  }
  return v;
}

// judge_request gives the parser the text at once, then byte by byte in a buffer that moves.
verdict judge_request(std::string_view text, parse_limits const& limits = {}) {
  head_parser whole(head_kind::request, limits);
  verdict const v = judge(text, whole);
  head_parser slow(head_kind::request, limits);
  verdict last;
  for (std::size_t n = 1; n <= text.size(); ++n) {
    std::string const moved(text.substr(0, n));
    last = judge(moved, slow);
    if (last.status != -1) break;
  }
  EXPECT_EQ(last.status, v.status) << "cut into bytes it is judged differently: " << text;
  EXPECT_EQ(last.what, v.what) << text;
  EXPECT_EQ(last.size, v.size) << text;
  return v;
}

TEST(http_parse, reads_a_request_with_its_fields) {
  std::string_view const text =
      "GET /v1/prices?symbols=AAPL HTTP/1.1\r\nHost: example.com:8080\r\nAccept:\t*/* \r\n"
      "X-Empty:\r\nX-Obs: \xc3\xa4\r\n\r\nnext";
  head_parser parser(head_kind::request);
  ASSERT_EQ(parser.parse(text), parse_state::done);
  EXPECT_EQ(parser.method().in(text), "GET");
  EXPECT_EQ(parser.target().in(text), "/v1/prices?symbols=AAPL");
  EXPECT_EQ(parser.version_minor(), 1);
  EXPECT_EQ(text.substr(parser.size()), "next");
  ASSERT_EQ(parser.fields().size(), 4u);
  EXPECT_EQ(parser.fields()[0].name.in(text), "Host");
  EXPECT_EQ(parser.fields()[0].value.in(text), "example.com:8080");
  EXPECT_EQ(parser.fields()[1].value.in(text), "*/*");
  EXPECT_EQ(parser.fields()[2].value.in(text), "");
  EXPECT_EQ(parser.fields()[3].value.in(text), "\xc3\xa4");
}

TEST(http_parse, is_used_again_after_reset) {
  head_parser parser(head_kind::request);
  ASSERT_EQ(parser.parse("GET /a HTTP/1.1\r\nHost: a\r\nB: c\r\n\r\n"), parse_state::done);
  parser.reset();
  std::string_view const text = "PUT /b HTTP/1.0\r\n\r\n";
  ASSERT_EQ(parser.parse(text), parse_state::done);
  EXPECT_EQ(parser.method().in(text), "PUT");
  EXPECT_EQ(parser.version_minor(), 0);
  EXPECT_TRUE(parser.fields().empty());
}

TEST(http_parse, accepts_what_is_well_formed) {
  struct good {
    char const* text;
    bool keep_alive;
    body_kind body;
    std::uint64_t length;
    char const* host;
    char const* path;
  };
  good const table[] = {
      {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", true, body_kind::none, 0, "a", "/"},
      {"GET / HTTP/1.1\r\nHost:\r\n\r\n", true, body_kind::none, 0, "", "/"},
      {"GET / HTTP/1.0\r\n\r\n", false, body_kind::none, 0, "", "/"},
      {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true, body_kind::none, 0, "", "/"},
      {"GET / HTTP/1.1\r\nHost: a\r\nconnection: x, CLOSE\r\n\r\n", false, body_kind::none, 0, "a",
       "/"},
      {"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", true, body_kind::length, 5, "a",
       "/x"},
      {"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", true, body_kind::none, 0, "a",
       "/x"},
      {"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n", true,
       body_kind::chunked, 0, "a", "/x"},
      {"GET http://b:81/p?q HTTP/1.1\r\nHost: a\r\n\r\n", true, body_kind::none, 0, "b:81", "/p"},
      {"GET http://b HTTP/1.1\r\nHost: a\r\n\r\n", true, body_kind::none, 0, "b", "/"},
      {"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", true, body_kind::none, 0, "a", "*"},
      {"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", true, body_kind::none, 0, "a:443", ""},
      {"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", true, body_kind::none, 0, "[::1]:80", "/"},
      {"X!#$%&'*+-.^_`|~9 / HTTP/1.1\r\nHost: a\r\n\r\n", true, body_kind::none, 0, "a", "/"},
  };
  for (good const& g : table) {
    verdict const v = judge_request(g.text);
    ASSERT_EQ(v.status, 0) << g.text << v.what;
    EXPECT_EQ(v.info.keep_alive, g.keep_alive) << g.text;
    EXPECT_EQ(v.info.body, g.body) << g.text;
    EXPECT_EQ(v.info.length, g.length) << g.text;
    EXPECT_EQ(v.info.host, g.host) << g.text;
    EXPECT_EQ(v.info.raw_path, g.path) << g.text;
  }
}

struct bad {
  std::string text;
  int status;
};

void expect_all_refused(std::vector<bad> const& table) {
  for (bad const& b : table) {
    verdict const v = judge_request(b.text);
    EXPECT_EQ(v.status, b.status) << testing::PrintToString(b.text) << ": " << v.what;
  }
}

TEST(http_parse, refuses_malformed_request_lines) {
  std::string const rest = " HTTP/1.1\r\nHost: a\r\n\r\n";
  expect_all_refused({
      {"\r\nGET /" + rest, 400},
      {" GET /" + rest, 400},
      {"GET  /" + rest, 400},
      {"GET\t/" + rest, 400},
      {"GET / " + rest, 400},
      {"GET" + rest, 400},
      {"G\0T /"s + rest, 400},
      {"GE\xc3\xa4 /" + rest, 400},
      {std::string(33, 'A') + " /" + rest, 400},
      {"\x16\x03\x01\x02", 400},
      {"GET /\x01" + rest, 400},
      {"GET /\x7f" + rest, 400},
      {"GET /\xc3\xa4" + rest, 400},
      {"GET /a#b" + rest, 400},
      {"GET /a\\\tb" + rest, 400},
      {"GET a" + rest, 400},
      {"GET ftp://a/" + rest, 400},
      {"GET http:///x" + rest, 400},
      {"GET http://u@a/" + rest, 400},
      {"GET *" + rest, 400},
      {"CONNECT /x" + rest, 400},
      {"CONNECT a" + rest, 400},
      {"GET / HTTP/1.1\nHost: a\r\n\r\n", 400},
      {"GET / HTTP/1.1\rHost: a\r\n\r\n", 400},
      {"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400},
      {"GET / http/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET / HTTP/11\r\nHost: a\r\n\r\n", 400},
      {"GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400},
      {"GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505},
      {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"GET /\r\n\r\n", 400},
  });
}

TEST(http_parse, refuses_malformed_fields) {
  std::string const line = "GET / HTTP/1.1\r\n";
  std::string const host = line + "Host: a\r\n";
  expect_all_refused({
      {host + "A : b\r\n\r\n", 400},
      {host + "A\t: b\r\n\r\n", 400},
      {host + " A: b\r\n\r\n", 400},
      {host + "A: b\r\n c\r\n\r\n", 400},
      {host + "A: b\r\n\tc\r\n\r\n", 400},
      {host + ": b\r\n\r\n", 400},
      {host + "A\r\n\r\n", 400},
      {host + "A B: c\r\n\r\n", 400},
      {host + "A: b\n\r\n", 400},
      {host + "A: b\rC: d\r\n\r\n", 400},
      {host + "A: b\n\nGET / HTTP/1.1\r\n\r\n", 400},
      {host + "A: b\0c\r\n\r\n"s, 400},
      {host + "A: b\x01\r\n\r\n", 400},
      {host + "A: b\x7f\r\n\r\n", 400},
      {host + "A\0: b\r\n\r\n"s, 400},
      {host + "\xc3\xa4: b\r\n\r\n", 400},
      {host + "A(: b\r\n\r\n", 400},
      {host + "A: b\r\n\rX", 400},
      {host + "\n\r\n", 400},
  });
}

// The smuggling vectors: whatever could be read in two ways.
TEST(http_parse, refuses_every_ambiguity_about_the_body) {
  std::string const head = "POST / HTTP/1.1\r\nHost: a\r\n";
  auto const with = [&](std::string const& fields) { return head + fields + "\r\n"; };
  expect_all_refused({
      {with("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), 400},
      {with("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), 400},
      {with("Content-Length: 5\r\nContent-Length: 5\r\n"), 400},
      {with("Content-Length: 5\r\nContent-Length: 6\r\n"), 400},
      {with("Content-Length: 5\r\ncontent-length: 5\r\n"), 400},
      {with("Content-Length: 5, 5\r\n"), 400},
      {with("Content-Length: 5,6\r\n"), 400},
      {with("Content-Length: +5\r\n"), 400},
      {with("Content-Length: -5\r\n"), 400},
      {with("Content-Length: 0x5\r\n"), 400},
      {with("Content-Length: 5_0\r\n"), 400},
      {with("Content-Length: 5 0\r\n"), 400},
      {with("Content-Length: 5.0\r\n"), 400},
      {with("Content-Length: \"5\"\r\n"), 400},
      {with("Content-Length:\r\n"), 400},
      {with("Content-Length: \xef\xbc\x95\r\n"), 400},
      {with("Content-Length: 9223372036854775808\r\n"), 400},
      {with("Content-Length: 18446744073709551621\r\n"), 400},
      {with("Content-Length : 5\r\n"), 400},
      {with("Content-Length: 5\r\n\tTransfer-Encoding: chunked\r\n"), 400},
      {with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400},
      {with("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"), 400},
      {with("Transfer-Encoding: xchunked\r\n"), 400},
      {with("Transfer-Encoding: chunked, chunked\r\n"), 400},
      {with("Transfer-Encoding: chunked, identity\r\n"), 400},
      {with("Transfer-Encoding: identity\r\n"), 400},
      {with("Transfer-Encoding: identity, chunked\r\n"), 400},
      {with("Transfer-Encoding: gzip\r\n"), 400},
      {with("Transfer-Encoding: gzip, chunked\r\n"), 501},
      {with("Transfer-Encoding: \"chunked\"\r\n"), 400},
      {with("Transfer-Encoding: chunked;q=1\r\n"), 400},
      {with("Transfer-Encoding: chunked,\r\n"), 400},
      {with("Transfer-Encoding: ,chunked\r\n"), 400},
      {with("Transfer-Encoding:\r\n"), 400},
      {with("Transfer-Encoding: \x0b"
            "chunked\r\n"),
       400},
      {with("Transfer-Encoding:\x0c"
            "chunked\r\n"),
       400},
      {with("Transfer-Encoding: chunked\x01\r\n"), 400},
      {with("Transfer-Encoding: c\xc4\xb1hunked\r\n"), 400},
      {with("Transfer-Encoding : chunked\r\n"), 400},
      {with("Transfer-Encoding\x0b: chunked\r\n"), 400},
      {with("Transfer-Encoding: chunked\r\n\r"), 400},
      {with("X: y\rTransfer-Encoding: chunked\r\n"), 400},
      {with("X: y\nTransfer-Encoding: chunked\r\n"), 400},
      {with("Transfer-Encoding:\r\n chunked\r\n"), 400},
      {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
  });
}

TEST(http_parse, refuses_doubtful_hosts_and_expectations) {
  std::string const line = "GET / HTTP/1.1\r\n";
  expect_all_refused({
      {line + "\r\n", 400},
      {line + "Host: a\r\nHost: a\r\n\r\n", 400},
      {line + "Host: a\r\nhost: b\r\n\r\n", 400},
      {line + "Host: a b\r\n\r\n", 400},
      {line + "Host: a/b\r\n\r\n", 400},
      {line + "Host: u@a\r\n\r\n", 400},
      {line + "Host: a:b\r\n\r\n", 400},
      {line + "Host: :80\r\n\r\n", 400},
      {line + "Host: a:123456\r\n\r\n", 400},
      {line + "Host: [::1\r\n\r\n", 400},
      {line + "Host: []\r\n\r\n", 400},
      {line + "Host: [::1]x\r\n\r\n", 400},
      {line + "Host: a,b;\"\r\n\r\n", 400},
      {line + "Host: a\r\nExpect: 200-ok\r\n\r\n", 417},
      {line + "Host: a\r\nExpect: 100-continue\r\nExpect: 100-continue\r\n\r\n", 400},
  });
}

TEST(http_parse, counts_the_limits_while_it_reads) {
  parse_limits const limits{100, 200, 5};
  std::string const head = "GET / HTTP/1.1\r\nHost: a\r\n";
  EXPECT_EQ(judge_request("GET /" + std::string(200, 'a'), limits).status, 414);
  EXPECT_EQ(
      judge_request("GET /" + std::string(80, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", limits).status,
      0);
  EXPECT_EQ(judge_request(head + "A: " + std::string(300, 'b'), limits).status, 431);
  EXPECT_EQ(judge_request(head + std::string(300, 'n'), limits).status, 431);
  EXPECT_EQ(judge_request(head + "A:b\r\nA:b\r\nA:b\r\nA:b\r\nA:b\r\n\r\n", limits).status, 431);
  EXPECT_EQ(judge_request(head + "A:b\r\nA:b\r\nA:b\r\nA:b\r\n\r\n", limits).status, 0);
  EXPECT_EQ(judge_request(head + std::string(257, 'n') + ": x\r\n\r\n").status, 431);
}

TEST(http_parse, waits_for_more_wherever_a_head_is_cut) {
  std::string const text = "GET /a HTTP/1.1\r\nHost: a\r\nB: c\r\n\r\n";
  for (std::size_t n = 0; n < text.size(); ++n) {
    head_parser parser(head_kind::request);
    ASSERT_EQ(parser.parse(text.substr(0, n)), parse_state::more) << n;
    ASSERT_EQ(parser.parse(text), parse_state::done) << n;
  }
}

TEST(http_parse, reads_responses) {
  std::string_view const text = "HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nabc";
  head_parser parser(head_kind::response);
  ASSERT_EQ(parser.parse(text), parse_state::done);
  EXPECT_EQ(parser.status(), 404);
  EXPECT_EQ(parser.reason().in(text), "Not Found");
  head_info info;
  parse_failure why;
  ASSERT_TRUE(read_response_head(parser, text, "GET", info, why));
  EXPECT_EQ(info.body, body_kind::length);
  EXPECT_EQ(info.length, 3u);
  ASSERT_TRUE(read_response_head(parser, text, "HEAD", info, why));
  EXPECT_EQ(info.body, body_kind::none);
}

TEST(http_parse, knows_how_responses_end) {
  struct end {
    char const* text;
    body_kind body;
    bool keep_alive;
  };
  end const table[] = {
      {"HTTP/1.1 200 OK\r\n\r\n", body_kind::until_close, false},
      {"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", body_kind::none, true},
      {"HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n", body_kind::chunked, true},
      {"HTTP/1.1 204 No Content\r\n\r\n", body_kind::none, true},
      {"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", body_kind::none, true},
      {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n", body_kind::length, false},
      {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n", body_kind::length,
       false},
  };
  for (end const& e : table) {
    head_parser parser(head_kind::response);
    ASSERT_EQ(parser.parse(e.text), parse_state::done) << e.text;
    head_info info;
    parse_failure why;
    ASSERT_TRUE(read_response_head(parser, e.text, "GET", info, why)) << e.text << why.what;
    EXPECT_EQ(info.body, e.body) << e.text;
    EXPECT_EQ(info.keep_alive, e.keep_alive) << e.text;
  }
}

TEST(http_parse, refuses_malformed_responses) {
  char const* const heads[] = {"HTTP/1.1 20 OK\r\n\r\n",  "HTTP/1.1 2000 OK\r\n\r\n",
                               "HTTP/1.1 099 X\r\n\r\n",  "HTTP/1.1 600 X\r\n\r\n",
                               "HTTP/2.0 200 OK\r\n\r\n", "HTTP/1.1  200 OK\r\n\r\n",
                               "HTTP/1.1 200 OK\n\r\n",   "http/1.1 200 OK\r\n\r\n",
                               "ICY 200 OK\r\n\r\n",      "HTTP/1.1 200 O\x01\r\n\r\n"};
  for (char const* text : heads) {
    head_parser parser(head_kind::response);
    EXPECT_EQ(parser.parse(text), parse_state::failed) << text;
  }
  char const* const framings[] = {
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
      "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"};
  for (char const* text : framings) {
    head_parser parser(head_kind::response);
    ASSERT_EQ(parser.parse(text), parse_state::done) << text;
    head_info info;
    parse_failure why;
    EXPECT_FALSE(read_response_head(parser, text, "GET", info, why)) << text;
  }
}

}  // namespace
}  // namespace vole::http::internal
