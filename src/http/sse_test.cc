// SPDX-License-Identifier: Apache-2.0
#include "vole/http/sse.h"

#include <gtest/gtest.h>
#include <string>

#include "vole/chan.h"
#include "vole/http/test.h"
#include "vole/net.h"
#include "vole/testing.h"

namespace vole::http {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

TEST(http_sse, starts_a_stream) {
  test::recorder res;
  sse stream(res);
  EXPECT_EQ(res.status(), 200);
  EXPECT_EQ(res.sent_header().get("Content-Type"), "text/event-stream");
  EXPECT_EQ(res.sent_header().get("Cache-Control"), "no-store");
  EXPECT_EQ(res.flushes(), 1);
}

TEST(http_sse, writes_events_and_flushes_each) {
  test::recorder res;
  sse stream(res);
  EXPECT_FALSE(stream.send({.data = "one"}));
  EXPECT_FALSE(stream.send({.data = "a\nb\r\nc\rd", .name = "price", .id = "7", .retry = 2s}));
  EXPECT_FALSE(stream.send({}));
  EXPECT_FALSE(stream.comment("still here"));
  EXPECT_EQ(res.body(),
            "data: one\n\n"
            "event: price\nid: 7\nretry: 2000\ndata: a\ndata: b\ndata: c\ndata: d\n\n"
            "data: \n\n"
            ": still here\n\n");
  EXPECT_EQ(res.flushes(), 5);
}

TEST(http_sse, refuses_names_that_would_forge_an_event) {
  test::recorder res;
  sse stream(res);
  EXPECT_TRUE(stream.send({.data = "x", .name = "a\ndata: y"}));
  EXPECT_TRUE(stream.send({.data = "x", .id = "1\r"}));
  EXPECT_TRUE(stream.send({.data = "x", .id = "1\0"s}));
  EXPECT_EQ(res.body(), "");
}

TEST(http_sse, knows_what_a_browser_saw_last) {
  auto const req = test::make_request("GET", "/");
  EXPECT_EQ(sse::last_event_id(*req), "");
  req->header().set("Last-Event-ID", "7");
  EXPECT_EQ(sse::last_event_id(*req), "7");
}

TEST(http_sse, each_event_arrives_before_the_next_is_made) {
  chan<std::string> feed(0);
  chan<error> ended(1);
  chan<unit> sent(3);
  test::memory_server server([&](response_writer& res, request& req) {
    sse stream(res);
    for (;;) {
      auto const next = recv(req.ctx(), feed);
      if (!next) return ended.send(next.error());
      if (error err = stream.send({.data = **next})) {
        sent.close();
        return ended.send(err);
      }
      sent.send({});
    }
  });
  {
    auto res = server.client().get(context::background(), "http://a/stream");
    ASSERT_TRUE(res) << res.error().message();
    for (std::string const text : {"1", "2", "3"}) {
      feed.send(text);
      std::byte buffer[64];
      auto const got = res->body().read(context::background(), buffer);
      ASSERT_TRUE(got);
      EXPECT_EQ(io::text(std::span(buffer).first(*got)), "data: " + text + "\n\n");
      EXPECT_TRUE(sent.recv());  // the end of its chunk is written after it
    }
  }
  // The client is gone: the handler hears of it while it waits for its feed.
  auto const why = ended.recv();
  ASSERT_TRUE(why);
  EXPECT_TRUE(errors::is(*why, context::canceled)) << why->message();
}

TEST(http_sse, a_send_to_a_client_that_takes_nothing_ends_with_its_context) {
  auto const [ctx, cancel] = context::with_cancel(context::background());
  chan<error> ended(1);
  test::memory_server server([&, ctx = ctx](response_writer& res, request&) {
    sse stream(ctx, res);
    error err;
    while (!err) err = stream.send(ctx, {.data = "more"});
    ended.send(err);
  });
  auto const client = server.connect();
  std::string_view const asked = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
  ASSERT_FALSE(client->write(context::background(), io::bytes(asked)));
  testing::wait_until_parked(2);  // the server, and the handler in its first send
  cancel();
  auto const [late, unused] = context::with_timeout(context::background(), 20s);
  auto const why = recv(late, ended);
  ASSERT_TRUE(why) << "the handler is stuck in a send";
  EXPECT_TRUE(errors::is(**why, context::canceled)) << (*why)->message();
}

}  // namespace
}  // namespace vole::http
