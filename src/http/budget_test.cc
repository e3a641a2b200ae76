// SPDX-License-Identifier: Apache-2.0
#include "vole/http/budget.h"

#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "vole/http.h"
#include "vole/http/test.h"
#include "vole/internal/atomic.h"
#include "vole/net.h"

namespace vole::http {
namespace {

using namespace std::chrono_literals;

// A client with options of its own that talks to a server in memory.
struct pipe_client {
  pipe_client(test::memory_server& server, client_options options)
      : client([&] {
          options.dial = [&server](context const&, std::string_view) {
            return result<std::unique_ptr<net::conn>>(server.connect());
          };
          return std::move(options);
        }()) {}

  http::client client;
};

std::optional<duration> budget_in(std::string_view text) {
  headers fields;
  fields.set(budget_header, text);
  return budget_of(fields);
}

// What arrives at the server when the client's deadline is `left` away.
std::optional<duration> arrives(duration left, client_options options = {}) {
  std::optional<duration> seen;
  test::memory_server server([&](response_writer& res, request& req) {
    seen = budget_of(req.header());
    reply(res, 200, "");
  });
  pipe_client through(server, std::move(options));
  auto const [ctx, cancel] = context::with_timeout(context::background(), left);
  EXPECT_TRUE(through.client.get(ctx, "http://a/"));
  return seen;
}

TEST(http_budget, is_read_and_written_in_whole_milliseconds) {
  EXPECT_EQ(budget_in("1500"), 1500ms);
  EXPECT_EQ(budget_in("0"), 0ms);
  for (std::string_view const bad : {"", "-1", "+1", "1.5", "1s", "1 1", "12345678901", "x"}) {
    EXPECT_EQ(budget_in(bad), std::nullopt) << bad;
  }
  EXPECT_EQ(budget_of(headers()), std::nullopt);
  EXPECT_EQ(budget_text(1999us), "1");
  EXPECT_EQ(budget_text(-1s), "0");
  EXPECT_EQ(budget_text(duration::max()), "999999999");
}

TEST(http_budget, client_sends_what_is_left_less_its_margin) {
  auto const seen = arrives(1h, {.budget_margin = 1min});
  ASSERT_TRUE(seen);
  EXPECT_LE(*seen, 59min);
  EXPECT_GT(*seen, 50min);
}

TEST(http_budget, client_says_nothing_without_a_deadline_or_when_told_not_to) {
  std::optional<duration> seen;
  test::memory_server server([&](response_writer& res, request& req) {
    seen = budget_of(req.header());
    reply(res, 200, "");
  });
  ASSERT_TRUE(server.client().get(context::background(), "http://a/"));
  EXPECT_EQ(seen, std::nullopt);
  EXPECT_EQ(arrives(1h, {.send_budget = false}), std::nullopt);
}

TEST(http_budget, client_leaves_a_header_of_the_callers_alone) {
  std::string seen;
  test::memory_server server([&](response_writer& res, request& req) {
    seen = req.header().get(budget_header);
    reply(res, 200, "");
  });
  auto const [ctx, cancel] = context::with_timeout(context::background(), 1h);
  client_request req{.url = "http://a/"};
  req.header.set(budget_header, "7");
  ASSERT_TRUE(server.client().send(ctx, req));
  EXPECT_EQ(seen, "7");
}

TEST(http_budget, client_does_not_send_what_cannot_be_answered_in_time) {
  vole::internal::atomic<int> requests{0};
  test::memory_server server([&](response_writer& res, request&) {
    requests.fetch_add(1);
    reply(res, 200, "");
  });
  pipe_client through(server, {.budget_margin = 2h});
  auto const [ctx, cancel] = context::with_timeout(context::background(), 1h);
  auto const refused = through.client.get(ctx, "http://a/");
  ASSERT_FALSE(refused);
  EXPECT_TRUE(errors::is(refused.error(), budget_exhausted)) << refused.error().message();
  EXPECT_TRUE(errors::is(refused.error(), context::deadline_exceeded));
  EXPECT_EQ(requests.load(), 0);
  EXPECT_EQ(through.client.stats().connections_idle, 1U) << "it serves the next request";
  EXPECT_EQ(through.client.stats().connections_live, 1U) << "a connection was lost";
  EXPECT_EQ(through.client.stats().retries_total, 0U);
}

TEST(http_budget, middleware_bounds_the_request) {
  std::optional<time_point> deadline;
  handler const bounded = budget()([&](response_writer& res, request& req) {
    deadline = req.ctx().deadline();
    reply(res, 200, "");
  });
  auto const with = test::make_request("GET", "/");
  with->header().set(budget_header, "3600000");
  test::recorder res;
  bounded(res, *with);
  ASSERT_TRUE(deadline);
  EXPECT_LE(*deadline, vole::internal::now() + 1h);
  EXPECT_GT(*deadline, vole::internal::now() + 50min);
  EXPECT_EQ(with->ctx().deadline(), std::nullopt) << "the bound outlives the handler";

  auto const without = test::make_request("GET", "/");
  test::recorder other;
  bounded(other, *without);
  EXPECT_EQ(deadline, std::nullopt);
}

TEST(http_budget, middleware_refuses_what_is_too_late_to_begin) {
  bool begun = false;
  auto const inner = [&](response_writer&, request&) { begun = true; };
  auto const late = test::make_request("GET", "/");
  late->header().set(budget_header, "9");
  test::recorder res;
  budget({.least = 10ms})(inner)(res, *late);
  EXPECT_EQ(res.status(), 504);
  std::string said;
  test::recorder other;
  budget({.least = 10ms, .refuse = [&](response_writer& out, request&, budget_error const& why) {
            said = why.message();
            reply(out, 503, "");
          }})(inner)(other, *late);
  EXPECT_EQ(other.status(), 503);
  EXPECT_EQ(said, "http: deadline budget exhausted: 9.0 ms are left and 10.0 ms are needed");
  EXPECT_FALSE(begun);
}

}  // namespace
}  // namespace vole::http
