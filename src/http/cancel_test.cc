// SPDX-License-Identifier: Apache-2.0
// Every call of the client, and the handler, returns when its context ends, whatever it is waiting
// for; afterwards no connection, place or goroutine is left.
#include <gtest/gtest.h>
#include <memory>
#include <string>

#include "vole/chan.h"
#include "vole/http.h"
#include "vole/http/client.h"
#include "vole/net.h"
#include "vole/runtime.h"
#include "vole/task.h"
#include "vole/testing.h"

#include "http/raw_client.h"
#include "testing/cancel_race.h"

namespace vole::http {
namespace {

using namespace std::chrono_literals;
using vole::testing::race_cancel;

constexpr int rounds = 60;

// A server that answers with what the test lets through, and a client with one place.
class http_cancel : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened = net::listen("tcp", "127.0.0.1:0");
    ASSERT_TRUE(opened) << opened.error().message();
    listener = *std::move(opened);
    url = "http://" + listener->addr().text() + "/";
    serving = spawn([this] { return server.serve(context::background(), *listener); });
  }
  void TearDown() override {
    EXPECT_FALSE(server.shutdown(context::background()));
    EXPECT_FALSE(serving.get(context::background()));
    client.close_idle();
    EXPECT_EQ(client.stats().connections_live, 0U) << "a connection was lost";
  }

  // wait_for_the_server has the handler of a request that was given up end, which else would take
  // what the next one is to be told.
  void wait_for_the_server() {
    EXPECT_LE(client.stats().connections_live, 1U);
    while (server.stats().connections_live != client.stats().connections_live) runtime::yield();
  }

  // The head is on its way at once; the body, and with ?head the head too, when told.
  static void answer(chan<unit> const& go_on, response_writer& res, request& req) {
    bool const late_head = req.url().raw_query() == "head";
    if (!late_head) {
      static_cast<void>(res.write("one "));
      if (res.flush()) return;
    }
    if (!recv(req.ctx(), go_on)) return;
    static_cast<void>(res.write("two"));
  }

  chan<unit> go_on{0};
  http::server server{
      {.handler = [this](response_writer& res, request& req) { answer(go_on, res, req); }}};
  http::client client{{.connections_per_host_max = 1}};
  std::unique_ptr<net::listener> listener;
  std::string url;
  task<void> serving;
};

TEST_F(http_cancel, send_while_it_waits_for_the_head) {
  race_cancel(
      301, rounds,
      [&](context const& ctx) {
        auto res = client.get(ctx, url + "?head");
        if (!res) return res.error();
        return res->read_all(context::background()).error();
      },
      [&](context const& over) { static_cast<void>(send(over, go_on, unit{})); },
      [&](error const&) { wait_for_the_server(); });
}

TEST_F(http_cancel, read_of_a_body_that_has_not_come) {
  race_cancel(
      302, rounds,
      [&](context const& ctx) {
        auto res = client.get(context::background(), url);
        if (!res) return res.error();
        auto const body = res->read_all(ctx);
        EXPECT_TRUE(!body || *body == "one two");
        return body.error();
      },
      [&](context const& over) { static_cast<void>(send(over, go_on, unit{})); },
      [&](error const&) { wait_for_the_server(); });
}

TEST_F(http_cancel, send_while_it_waits_for_a_place) {
  std::unique_ptr<response> holder;
  auto const take_the_place = [&] {
    auto held = client.get(context::background(), url);
    ASSERT_TRUE(held) << held.error().message();
    holder = std::make_unique<response>(*std::move(held));
  };
  take_the_place();
  race_cancel(
      303, rounds, [&](context const& ctx) { return client.get(ctx, url).error(); },
      [&](context const&) { holder.reset(); },  // closes its connection: the body was not read
      [&](error const&) {
        EXPECT_LE(client.stats().connections_live, 1U) << "a place is lost";
        take_the_place();
      });
  holder.reset();
}

TEST_F(http_cancel, handler_whose_client_leaves) {
  std::size_t const before = runtime::goroutines();
  for (int round = 0; round < rounds; ++round) {
    raw_client leaving = raw_client::dial(listener->addr());
    leaving.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    for (int i = round % 5; i > 0; --i) runtime::yield();
    leaving.close();
  }
  // Nobody lets the handlers go on: each returns because its context has ended.
  while (runtime::goroutines() > before) runtime::yield();
}

}  // namespace
}  // namespace vole::http
