// SPDX-License-Identifier: Apache-2.0
#include "vole/service/problem.h"

#include <gtest/gtest.h>

#include "vole/http/client.h"
#include "vole/http/test.h"
#include "vole/json.h"
#include "vole/log.h"
#include "vole/trace.h"

namespace vole {
namespace {

struct order {
  std::string symbol;
  std::int64_t qty_micro = 0;
};
constexpr auto describe(order const*) {
  return json::object(json::field("symbol", &order::symbol),
                      json::field("qty_micro", &order::qty_micro));
}

TEST(problem, is_written_as_rfc_9457_asks) {
  EXPECT_EQ(service::to_json(
                {.status = 409, .code = "user_exists", .detail = "user \"u\" exists already"},
                "req-1", "0af7"),
            R"({"type":"about:blank","title":"Conflict","status":409,)"
            R"("detail":"user \"u\" exists already","code":"user_exists",)"
            R"("request_id":"req-1","trace_id":"0af7"})");
  EXPECT_EQ(
      service::to_json({.status = 400, .code = "c", .field = "amount_minor", .title = "T"}, "", ""),
      R"({"type":"about:blank","title":"T","status":400,"code":"c","field":"amount_minor"})");
}

TEST(problem, an_error_that_carries_one_is_shown_through_its_wraps) {
  auto const err = errors::wrap(service::fail(404, "unknown_symbol", "no symbol {}", "XYZ"),
                                "place order {}", "o1");
  EXPECT_EQ(err.message(), "place order o1: unknown_symbol: no symbol XYZ");
  auto const shown = service::to_problem(err);
  EXPECT_EQ(shown.status, 404);
  EXPECT_EQ(shown.code, "unknown_symbol");
  EXPECT_EQ(shown.detail, "no symbol XYZ");
}

TEST(problem, the_cause_is_for_the_log_only) {
  auto const err = service::fail_with(errors::make("duplicate key users_pkey"), 409, "user_exists",
                                      "user {} exists already", "u1");
  EXPECT_EQ(err.message(), "user_exists: user u1 exists already: duplicate key users_pkey");
  EXPECT_EQ(service::to_json(service::to_problem(err), "", "").find("duplicate"),
            std::string::npos);
}

TEST(problem, what_is_not_known_is_shown_as_internal_without_detail) {
  auto const shown = service::to_problem(errors::make("password is hunter2"));
  EXPECT_EQ(shown.status, 500);
  EXPECT_EQ(shown.code, "internal");
  EXPECT_EQ(shown.detail, "");
}

TEST(problem, of_an_upstream_shows_nothing_of_its_answer) {
  http::status_error refused(404);
  refused.body = "no table users";
  auto const shown =
      service::to_problem(errors::wrap(errors::make_typed<http::status_error>(refused), "ask"));
  EXPECT_EQ(shown.status, 502);
  EXPECT_EQ(shown.code, "upstream_failed");
  EXPECT_EQ(service::to_json(shown, "", "").find("users"), std::string::npos);
}

TEST(problem, known_errors_have_their_status_and_code) {
  auto const too_large = service::to_problem(errors::wrap(http::body_too_large, "read"));
  EXPECT_EQ(too_large.status, 413);
  EXPECT_EQ(too_large.code, "body_too_large");
  EXPECT_EQ(service::to_problem(context::deadline_exceeded).status, 504);
  EXPECT_EQ(service::to_problem(context::deadline_exceeded).code, "timeout");
  EXPECT_EQ(service::to_problem(context::canceled).status, 499);
}

TEST(problem, a_bad_body_names_its_field) {
  auto const bad = json::decode<order>(R"({"symbol":"AAPL","qty_micro":"many"})");
  ASSERT_FALSE(bad);
  auto const shown = service::to_problem(errors::wrap(bad.error(), "read the order"));
  EXPECT_EQ(shown.status, 400);
  EXPECT_EQ(shown.code, "invalid_body");
  EXPECT_EQ(shown.field, "qty_micro");
}

TEST(problem, a_handler_that_fails_is_answered_with_its_problem_and_the_ids) {
  auto const handler = service::handler([](http::response_writer&, http::request&) {
    return service::fail_field("amount_minor", "invalid_amount", "want more than 0, got {}", -5);
  });
  auto const span = trace::extract("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "");
  auto const ctx = log::with_request_id(trace::with_span(context::background(), span), "req-1");
  http::test::recorder res;
  auto const req = http::test::make_request("POST", "/v1/x", "", ctx);
  handler(res, *req);
  EXPECT_EQ(res.status(), 400);
  EXPECT_EQ(res.sent_header().get("Content-Type"), "application/problem+json");
  EXPECT_EQ(res.sent_header().get("Cache-Control"), "no-store");
  EXPECT_EQ(res.body(), R"({"type":"about:blank","title":"Bad Request","status":400,)"
                        R"("detail":"want more than 0, got -5","code":"invalid_amount",)"
                        R"("field":"amount_minor","request_id":"req-1",)"
                        R"("trace_id":"0af7651916cd43dd8448eb211c80319c"})");
}

TEST(problem, a_mapper_of_ones_own_decides_first) {
  auto const handler = service::handler(
      [](http::response_writer&, http::request&) -> error { return errors::make("no rows"); },
      [](error const& err) {
        if (err.message() == "no rows") return service::problem{.status = 404, .code = "not_found"};
        return service::to_problem(err);
      });
  http::test::recorder res;
  auto const req = http::test::make_request("GET", "/");
  handler(res, *req);
  EXPECT_EQ(res.status(), 404);
}

TEST(problem, says_when_to_try_again) {
  http::test::recorder res;
  auto const req = http::test::make_request("GET", "/");
  service::respond(res, *req,
                   {.status = 503, .code = "away", .retry_after = std::chrono::seconds(2)});
  EXPECT_EQ(res.sent_header().get("Retry-After"), "2");
  EXPECT_EQ(res.body().find("retry"), std::string::npos) << res.body();
}

TEST(problem, an_answer_that_has_begun_is_left_alone) {
  auto const handler = service::handler([](http::response_writer& res, http::request&) -> error {
    EXPECT_FALSE(res.write("half"));
    return errors::make("too late");
  });
  http::test::recorder res;
  auto const req = http::test::make_request("GET", "/");
  handler(res, *req);
  EXPECT_EQ(res.status(), 200);
  EXPECT_EQ(res.body(), "half");
}

}  // namespace
}  // namespace vole
