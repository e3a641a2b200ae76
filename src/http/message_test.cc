// SPDX-License-Identifier: Apache-2.0
#include "vole/http/message.h"

#include <gtest/gtest.h>
#include <string>

#include "vole/http/test.h"

#include "http/status.h"

namespace vole::http {
namespace {

using namespace std::string_literals;

TEST(http_headers, names_compare_without_case) {
  headers h;
  h.set("Content-Type", "a");
  EXPECT_EQ(h.get("content-type"), "a");
  EXPECT_TRUE(h.has("CONTENT-TYPE"));
  EXPECT_FALSE(h.has("Content-Typ"));
  EXPECT_EQ(h.get("x"), "");
}

TEST(http_headers, set_replaces_all_and_add_appends) {
  headers h;
  h.add("A", "1");
  h.add("B", "2");
  h.add("a", "3");
  EXPECT_EQ(h.values("A"), (std::vector<std::string_view>{"1", "3"}));
  h.set("A", "4");
  EXPECT_EQ(h.values("A"), (std::vector<std::string_view>{"4"}));
  EXPECT_EQ(h.size(), 2u);
  h.del("a");
  EXPECT_FALSE(h.has("A"));
  EXPECT_EQ(h.get("B"), "2");
}

TEST(http_headers, refuse_what_would_split_a_message) {
  for (auto const& value : {"a\r\nX: y"s, "a\nb"s, "a\rb"s, "a\0b"s, "a\x7f"s, "\x01"s}) {
    headers h;
    h.set("X", value);
    EXPECT_TRUE(h.empty());
    EXPECT_EQ(h.err().message(), "http: field X: control character in its value");
  }
  for (auto const& name : {"a b"s, "a:"s, ""s, "a\r\n"s, "\xc3\xa4"s, "a\0"s}) {
    headers h;
    h.add(name, "v");
    EXPECT_TRUE(h.empty());
    EXPECT_TRUE(h.err());
  }
  headers fine;
  fine.set("X", " tab\tand \xc3\xa4 ");
  EXPECT_EQ(fine.get("X"), "tab\tand \xc3\xa4");
  EXPECT_FALSE(fine.err());
}

TEST(http_headers, copies_own_their_text) {
  headers copy;
  {
    headers h{{"Name", "value"}, {"Other", std::string(5000, 'x')}};
    copy = h;
    headers const moved = std::move(h);
    EXPECT_EQ(moved.get("name"), "value");
  }
  EXPECT_EQ(copy.get("Name"), "value");
  EXPECT_EQ(copy.get("Other").size(), 5000u);
}

TEST(http_headers, are_empty_and_usable_after_clear) {
  headers h{{"A", "1"}};
  h.set("B", "\n");
  h.clear();
  EXPECT_TRUE(h.empty());
  EXPECT_FALSE(h.err());
  h.set("C", "2");
  EXPECT_EQ(h.get("C"), "2");
}

TEST(http_status, has_names) {
  EXPECT_EQ(status_text(200), "OK");
  EXPECT_EQ(status_text(404), "Not Found");
  EXPECT_EQ(status_text(299), "");
  EXPECT_EQ(internal::status_line(503), "HTTP/1.1 503 Service Unavailable\r\n");
}

TEST(http_status, formats_dates) {
  internal::date_field date;
  EXPECT_EQ(date.at(784111777), "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
  EXPECT_EQ(date.at(0), "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n");
  EXPECT_EQ(date.now().size(), internal::date_field::size);
}

TEST(http_status, of_errors) {
  EXPECT_EQ(status_of(nullptr), 200);
  EXPECT_EQ(status_of(errors::wrap(body_too_large, "x")), 413);
  EXPECT_EQ(status_of(body_timeout), 408);
  EXPECT_EQ(status_of(body_malformed), 400);
  EXPECT_EQ(status_of(context::deadline_exceeded), 504);
  EXPECT_EQ(status_of(errors::make("else")), 500);
}

TEST(http_reply, sends_a_whole_answer) {
  test::recorder res;
  reply(res, 201, "made\n", "text/html");
  EXPECT_EQ(res.status(), 201);
  EXPECT_EQ(res.body(), "made\n");
  EXPECT_EQ(res.sent_header().get("Content-Type"), "text/html");
}

TEST(http_reply, redirects_to_escaped_locations) {
  test::recorder res;
  auto const req = test::make_request("GET", "/");
  redirect(res, *req, "/a b\r\n", 307);
  EXPECT_EQ(res.status(), 307);
  EXPECT_EQ(res.sent_header().get("Location"), "/a%20b%0D%0A");
}

TEST(http_recorder, keeps_the_header_as_it_was_sent) {
  test::recorder res;
  res.header().set("A", "1");
  res.write_header(202);
  res.header().set("A", "2");
  res.write_header(500);
  EXPECT_FALSE(res.write("x"));
  EXPECT_EQ(res.status(), 202);
  EXPECT_EQ(res.sent_header().get("A"), "1");
}

TEST(http_request, made_by_hand_has_all_parts) {
  auto const req = test::make_request("POST", "/v1/o%20k?x=1", "body");
  req->header().set("Extra", "e");
  EXPECT_EQ(req->method(), "POST");
  EXPECT_EQ(req->target(), "/v1/o%20k?x=1");
  EXPECT_EQ(req->path(), "/v1/o k");
  EXPECT_EQ(req->url().raw_path(), "/v1/o%20k");
  EXPECT_EQ(req->url().query("x"), "1");
  EXPECT_EQ(req->host(), "example.com");
  EXPECT_EQ(req->header().get("extra"), "e");
  EXPECT_EQ(req->content_length(), 4u);
  auto const body = req->read_body();
  ASSERT_TRUE(body);
  EXPECT_EQ(*body, "body");
}

TEST(http_request, made_by_hand_obeys_its_body_limit) {
  auto const req = test::make_request("POST", "/", "body");
  req->set_body_limit(3);
  auto const body = req->read_body();
  ASSERT_FALSE(body);
  EXPECT_TRUE(errors::is(body.error(), body_too_large));
}

}  // namespace
}  // namespace vole::http
