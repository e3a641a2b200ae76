// SPDX-License-Identifier: Apache-2.0
#include "vole/http/middleware.h"

#include <gtest/gtest.h>
#include <stdexcept>
#include <string>

#include "vole/chan.h"
#include "vole/http/test.h"
#include "vole/internal/format.h"

namespace vole::http {
namespace {

using namespace std::chrono_literals;

middleware note(std::string& log, std::string name) {
  return [&log, name](handler next) -> handler {
    return [&log, name, next](response_writer& res, request& req) {
      log += name + "(";
      next(res, req);
      log += ")";
    };
  };
}

TEST(http_middleware, chain_runs_the_first_layer_outermost) {
  std::string log;
  handler const h = chain([&](response_writer&, request&) { log += "handler"; },
                          {note(log, "a"), note(log, "b")});
  test::recorder res;
  h(res, *test::make_request("GET", "/"));
  EXPECT_EQ(log, "a(b(handler))");
}

TEST(http_middleware, recover_answers_500_and_lets_through_what_ends_an_answer_that_has_begun) {
  std::string told;
  auto const layer = recover([&](request& req, std::string_view what) {
    told += fmt::format("{} {};", req.path(), what);
  });
  handler const early =
      chain([](response_writer&, request&) { throw std::runtime_error("bad"); }, {layer});
  test::recorder first;
  early(first, *test::make_request("GET", "/x"));
  EXPECT_EQ(first.status(), 500);
  handler const late = chain(
      [](response_writer& res, request&) {
        reply(res, 200, "part");
        throw 17;
      },
      {layer});
  test::recorder second;
  EXPECT_THROW(late(second, *test::make_request("GET", "/y")), int);
  EXPECT_EQ(second.status(), 200);
  EXPECT_EQ(told, "/x bad;/y an exception that is not a std::exception;");
}

TEST(http_middleware, timeout_ends_the_context_and_answers_503) {
  handler const h = chain(
      [](response_writer&, request& req) {
        chan<unit> const never_comes(0);
        auto const got = recv(req.ctx(), never_comes);
        EXPECT_TRUE(errors::is(got.error(), context::deadline_exceeded));
      },
      {timeout(5ms)});
  test::recorder res;
  h(res, *test::make_request("GET", "/"));
  EXPECT_EQ(res.status(), 503);
}

TEST(http_middleware, timeout_leaves_fast_handlers_alone) {
  handler const h =
      chain([](response_writer& res, request&) { reply(res, 200, "ok"); }, {timeout(1h)});
  test::recorder res;
  auto const req = test::make_request("GET", "/");
  h(res, *req);
  EXPECT_EQ(res.status(), 200);
  EXPECT_FALSE(req->ctx().deadline().has_value());
}

TEST(http_middleware, request_id_takes_a_plain_one_and_makes_one_otherwise) {
  struct key {
    using value_type = std::string;
  };
  std::string seen;
  handler const h = chain([&](response_writer&, request& req) { seen = *req.ctx().value<key>(); },
                          {request_id([](context const& ctx, std::string_view id) {
                            return context::with_value<key>(ctx, std::string(id));
                          })});
  auto const run = [&](std::string_view given) {
    test::recorder res;
    auto const req = test::make_request("GET", "/");
    if (!given.empty()) req->header().set("X-Request-Id", given);
    h(res, *req);
    EXPECT_EQ(res.header().get("X-Request-Id"), seen);
    return seen;
  };
  EXPECT_EQ(run("abc-1.2_3"), "abc-1.2_3");
  std::string const made = run("");
  EXPECT_EQ(made.size(), 32u);
  EXPECT_NE(run(""), made);
  EXPECT_EQ(run("a b").size(), 32u);
  EXPECT_EQ(run(std::string(129, 'a')).size(), 32u);
  EXPECT_EQ(run("a\"b").size(), 32u);
}

}  // namespace
}  // namespace vole::http
