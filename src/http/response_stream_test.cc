// SPDX-License-Identifier: Apache-2.0
// How responses are framed, without a connection: a sink that keeps what is sent.
#include "http/response_stream.h"

#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "vole/net.h"

namespace vole::http::internal {
namespace {

class memory_sink final : public output_sink {
 public:
  error send(context const&, std::span<io::bytes_view const> parts) override {
    if (broken) return errors::make("broken");
    std::string text;
    for (auto const part : parts) text += io::text(part);
    sent.push_back(text);
    return nullptr;
  }
  result<hijacked> hijack() override { return hijacked{nullptr, "rest"}; }
  bool closing() const override { return draining; }

  std::string all() const {
    std::string text;
    for (auto const& part : sent) text += part;
    return text;
  }
  std::vector<std::string> sent;
  bool broken = false;
  bool draining = false;
};

// without_date takes the Date line out, which every response must have.
std::string without_date(std::string text) {
  for (std::size_t at = text.find("Date: "); at != std::string::npos; at = text.find("Date: ")) {
    text.erase(at, date_field::size);
  }
  return text;
}

struct fixture {
  memory_sink sink;
  response_stream res;

  explicit fixture(bool head = false, int minor = 1, bool keep_alive = true) {
    res.begin(sink, head, minor, keep_alive);
  }
  std::string end() {
    static_cast<void>(res.finish());
    static_cast<void>(res.send_pending());
    return without_date(sink.all());
  }
};

TEST(http_response, a_small_answer_leaves_in_one_piece) {
  fixture f;
  EXPECT_FALSE(f.res.write("hello"));
  EXPECT_EQ(
      f.end(),
      "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 5\r\n\r\n"
      "hello");
  EXPECT_EQ(f.sink.sent.size(), 1u);
  EXPECT_NE(f.sink.sent[0].find("\r\nDate: "), std::string::npos);
}

TEST(http_response, counts_the_length_over_many_writes) {
  fixture f;
  f.res.header().set("Content-Type", "a/b");
  std::string body;
  for (int i = 0; i < 300; ++i) {
    body += "0123456789";
    EXPECT_FALSE(f.res.write("0123456789"));
  }
  EXPECT_EQ(f.end(), "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 3000\r\n\r\n" + body);
  EXPECT_EQ(f.sink.sent.size(), 1u);
}

TEST(http_response, nothing_written_is_an_empty_200) {
  fixture f;
  EXPECT_EQ(f.end(), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

TEST(http_response, unknown_codes_have_no_reason) {
  fixture f;
  f.res.write_header(299);
  EXPECT_EQ(f.end(), "HTTP/1.1 299 \r\nContent-Length: 0\r\n\r\n");
}

TEST(http_response, codes_nobody_can_answer_with_become_500) {
  for (int const code : {0, 99, 100, 150, 600, -1}) {
    fixture f;
    f.res.write_header(code);
    EXPECT_EQ(
        f.end(),
        "HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
  }
}

TEST(http_response, a_refused_field_makes_it_a_500_without_body) {
  fixture f;
  f.res.header().set("X", "a\r\nSet-Cookie: b");
  EXPECT_TRUE(f.res.write("secret"));
  EXPECT_EQ(f.end(),
            "HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(f.res.err().message(), "http: field X: control character in its value");
}

TEST(http_response, a_large_answer_of_unknown_length_is_chunked) {
  fixture f;
  std::string const big(40'000, 'x');
  EXPECT_FALSE(f.res.write("ab"));
  EXPECT_FALSE(f.res.write(big));
  EXPECT_FALSE(f.res.write("cd"));
  EXPECT_FALSE(f.res.write("ef"));
  EXPECT_EQ(f.end(),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"
            "Transfer-Encoding: chunked\r\n\r\n9c42\r\nab" +
                big + "\r\n4\r\ncdef\r\n0\r\n\r\n");
  EXPECT_EQ(f.sink.sent.size(), 2u);
}

TEST(http_response, a_declared_length_is_kept_and_not_chunked) {
  fixture f;
  std::string const big(100'000, 'x');
  f.res.header().set("Content-Length", "100000");
  EXPECT_FALSE(f.res.write(big));
  EXPECT_EQ(f.end(),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"
            "Content-Length: 100000\r\n\r\n" +
                big);
  EXPECT_EQ(f.sink.sent.size(), 1u);
  EXPECT_TRUE(f.res.keep_alive());
}

TEST(http_response, more_than_declared_is_an_error_and_less_ends_the_connection) {
  fixture more;
  more.res.header().set("Content-Length", "3");
  EXPECT_TRUE(errors::is(more.res.write("abcd"), content_length_exceeded));
  fixture less;
  less.res.header().set("Content-Length", "3");
  EXPECT_FALSE(less.res.write("ab"));
  EXPECT_EQ(less.res.finish().message(), "http: handler wrote 2 of the 3 bytes it had declared");
  EXPECT_FALSE(less.res.keep_alive());
}

TEST(http_response, flush_starts_the_stream) {
  fixture f;
  EXPECT_FALSE(f.res.flush());
  EXPECT_EQ(without_date(f.sink.all()),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"
            "Transfer-Encoding: chunked\r\n\r\n");
  EXPECT_FALSE(f.res.write("one"));
  EXPECT_EQ(f.sink.sent.size(), 1u);
  EXPECT_FALSE(f.res.flush());
  EXPECT_EQ(f.sink.sent.back(), "3\r\none\r\n");
  EXPECT_FALSE(f.res.flush());
  EXPECT_EQ(f.sink.sent.size(), 2u);
  f.end();
  EXPECT_EQ(f.sink.sent.back(), "0\r\n\r\n");
}

TEST(http_response, http_1_0_streams_until_close) {
  fixture f(false, 0, true);
  EXPECT_FALSE(f.res.write("a"));
  EXPECT_FALSE(f.res.flush());
  EXPECT_FALSE(f.res.write("b"));
  EXPECT_EQ(f.end(),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"
            "Connection: close\r\n\r\nab");
  EXPECT_FALSE(f.res.keep_alive());
}

TEST(http_response, http_1_0_keep_alive_is_confirmed) {
  fixture f(false, 0, true);
  EXPECT_FALSE(f.res.write("a"));
  EXPECT_EQ(f.end(),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"
            "Connection: keep-alive\r\nContent-Length: 1\r\n\r\na");
}

TEST(http_response, head_has_the_length_and_no_body) {
  fixture f(true);
  EXPECT_FALSE(f.res.write("hello"));
  EXPECT_EQ(
      f.end(),
      "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 5\r\n\r\n");
}

TEST(http_response, statuses_without_body_have_none) {
  for (int const code : {204, 304}) {
    fixture f;
    f.res.write_header(code);
    EXPECT_TRUE(errors::is(f.res.write("x"), body_not_allowed));
    std::string const got = f.end();
    EXPECT_TRUE(got.ends_with("\r\n\r\n")) << got;
    EXPECT_EQ(got.find("Content-"), std::string::npos) << got;
  }
}

TEST(http_response, framing_fields_are_the_servers_business) {
  fixture f;
  f.res.header().set("Transfer-Encoding", "gzip");
  f.res.header().set("Date", "yesterday");
  f.res.header().set("Connection", "x, close");
  EXPECT_FALSE(f.res.write("a"));
  EXPECT_EQ(f.end(),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n"
            "Content-Length: 1\r\n\r\na");
  EXPECT_FALSE(f.res.keep_alive());
}

TEST(http_response, a_draining_server_says_close_as_late_as_it_can) {
  fixture f;
  EXPECT_FALSE(f.res.write("a"));
  f.sink.draining = true;
  EXPECT_NE(f.end().find("Connection: close\r\nContent-Length: 1\r\n\r\na"), std::string::npos);
}

TEST(http_response, answers_to_pipelined_requests_leave_together) {
  fixture f;
  EXPECT_FALSE(f.res.write("one"));
  EXPECT_FALSE(f.res.finish());
  f.res.begin(f.sink, false, 1, true);
  f.res.write_header(204);
  EXPECT_FALSE(f.res.finish());
  f.res.begin(f.sink, false, 1, true);
  EXPECT_FALSE(f.res.write("th"));
  EXPECT_FALSE(f.res.write("ree"));
  std::string const got = f.end();
  EXPECT_EQ(f.sink.sent.size(), 1u);
  EXPECT_EQ(
      got,
      "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\n\r\n"
      "oneHTTP/1.1 204 No Content\r\n\r\n"
      "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 5\r\n\r\n"
      "three");
}

TEST(http_response, a_stream_carries_earlier_answers_along) {
  fixture f;
  EXPECT_FALSE(f.res.write("one"));
  EXPECT_FALSE(f.res.finish());
  f.res.begin(f.sink, false, 1, true);
  EXPECT_FALSE(f.res.write("two"));
  EXPECT_FALSE(f.res.flush());
  EXPECT_FALSE(f.res.write("more"));
  std::string const got = f.end();
  EXPECT_TRUE(got.ends_with("chunked\r\n\r\n3\r\ntwo\r\n4\r\nmore\r\n0\r\n\r\n")) << got;
  EXPECT_NE(f.sink.sent[0].find("one"), std::string::npos);
}

TEST(http_response, restart_forgets_what_has_not_left) {
  fixture f;
  EXPECT_FALSE(f.res.write("one"));
  EXPECT_FALSE(f.res.finish());
  f.res.begin(f.sink, false, 1, true);
  f.res.header().set("X", "y");
  EXPECT_FALSE(f.res.write("wrong"));
  ASSERT_TRUE(f.res.restart());
  f.res.write_header(500);
  std::string const got = f.end();
  EXPECT_EQ(got.find("wrong"), std::string::npos);
  EXPECT_TRUE(got.ends_with("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"));
  fixture late;
  EXPECT_FALSE(late.res.flush());
  EXPECT_FALSE(late.res.restart());
}

TEST(http_response, restart_is_possible_after_earlier_answers_were_sent_ahead) {
  fixture f;
  EXPECT_FALSE(f.res.write("one"));
  EXPECT_FALSE(f.res.finish());
  f.res.begin(f.sink, false, 1, true);
  EXPECT_FALSE(f.res.send_pending());  // as a request's context does
  EXPECT_FALSE(f.res.write("half of"));
  ASSERT_TRUE(f.res.restart());
  f.res.write_header(500);
  std::string const got = f.end();
  EXPECT_EQ(got.find("half of"), std::string::npos) << got;
  EXPECT_NE(got.find("one"), std::string::npos) << got;
}

TEST(http_response, a_stream_to_head_ends_at_its_first_flush) {
  fixture f;
  f.res.begin(f.sink, true, 1, true);
  f.res.write_header(200);
  EXPECT_TRUE(errors::is(f.res.flush(), body_not_allowed));
  EXPECT_TRUE(f.end().starts_with("HTTP/1.1 200 OK\r\n"));
}

TEST(http_response, an_aborted_stream_has_no_last_chunk) {
  fixture f;
  EXPECT_FALSE(f.res.flush());
  EXPECT_FALSE(f.res.write("part"));
  f.res.abort(errors::make("thrown"));
  EXPECT_EQ(f.end().find("0\r\n\r\n"), std::string::npos);
  EXPECT_FALSE(f.res.keep_alive());
}

TEST(http_response, a_broken_connection_stops_the_writer) {
  fixture f;
  f.sink.broken = true;
  EXPECT_TRUE(f.res.flush());
  EXPECT_EQ(f.res.write("x").message(), "broken");
  EXPECT_FALSE(f.res.keep_alive());
}

TEST(http_response, a_hijacked_connection_is_out_of_its_hands) {
  fixture f;
  auto taken = f.res.hijack();
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->buffered, "rest");
  EXPECT_TRUE(errors::is(f.res.write("x"), hijacked_connection));
  EXPECT_EQ(f.end(), "");
  fixture late;
  EXPECT_FALSE(late.res.write("x"));
  EXPECT_FALSE(late.res.hijack());
}

}  // namespace
}  // namespace vole::http::internal
