// SPDX-License-Identifier: Apache-2.0
// How observe bounds a request, and the check for background() below a handler.
#include "vole/http/budget.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <string>

#include "vole/go.h"
#include "vole/http/mux.h"
#include "vole/http/test.h"
#include "vole/service/problem.h"
#include "vole/service/request.h"
#include "vole/sync/wait_group.h"

namespace vole {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

struct stage {
  std::shared_ptr<log::memory_sink> sink = std::make_shared<log::memory_sink>();
  http::mux mux;
  service::observe_options how{.report_background = false};

  stage() { how.logger = log::logger({.to = sink}); }
  void serve(http::test::recorder& res, std::string_view budget = {}) {
    auto const req = http::test::make_request("GET", "/users/7");
    if (!budget.empty()) req->header().set(http::budget_header, budget);
    service::observe(how)(mux)(res, *req);
  }
};

TEST(observe_budget, the_earlier_of_the_two_deadlines_holds) {
  stage s;
  std::optional<time_point> deadline;
  s.mux.handle("GET /users/{id}", [&](http::response_writer& res, http::request& req) {
    deadline = req.ctx().deadline();
    http::reply(res, 200, "");
  });
  auto const serve = [&](duration own, std::string_view budget) -> std::optional<duration> {
    s.how.timeout = own;
    http::test::recorder res;
    time_point const begun = internal::now();
    s.serve(res, budget);
    EXPECT_EQ(res.status(), 200);
    if (!deadline) return std::nullopt;
    return std::chrono::round<std::chrono::hours>(*deadline - begun);
  };
  EXPECT_EQ(serve({}, ""), std::nullopt);
  EXPECT_EQ(serve({}, "not a number"), std::nullopt);
  EXPECT_EQ(serve(2h, ""), 2h);
  EXPECT_EQ(serve({}, "3600000"), 1h);
  EXPECT_EQ(serve(2h, "3600000"), 1h);
  EXPECT_EQ(serve(1h, "7200000"), 1h);
}

TEST(observe_budget, too_little_is_refused_at_once_with_a_code_of_its_own) {
  stage s;
  bool begun = false;
  s.mux.handle("GET /users/{id}", [&](http::response_writer&, http::request&) { begun = true; });
  s.how.budget_least = 20ms;
  http::test::recorder res;
  s.serve(res, "19");
  EXPECT_FALSE(begun);
  EXPECT_EQ(res.status(), 504);
  EXPECT_THAT(res.body(), HasSubstr(R"("code":"budget_exhausted")"));
  EXPECT_EQ(res.sent_header().get("Content-Type"), "application/problem+json");
  EXPECT_THAT(s.sink->text(), HasSubstr("19.0 ms are left and 20.0 ms are needed"));
}

TEST(observe_budget, a_hop_that_could_not_send_is_answered_with_the_same_code) {
  auto const shown = service::to_problem(errors::wrap(
      errors::make_typed<http::budget_error>(1ms, 5ms), "load the price of {}", "ABC"));
  EXPECT_EQ(shown.status, 504);
  EXPECT_EQ(shown.code, "budget_exhausted");
}

TEST(observe_background, is_reported_once_per_place_with_the_route) {
  stage s;
  s.how.report_background = true;
  s.mux.handle("GET /users/{id}", [](http::response_writer& res, http::request&) {
    for (int i = 0; i < 3; ++i) static_cast<void>(context::background());
    sync::wait_group wg;
    // Below it are the goroutines that it starts, and theirs.
    wg.go([&] { wg.go([] { static_cast<void>(context::todo()); }); });
    wg.wait();
    static_cast<void>(context{});  // meant
    http::reply(res, 200, "");
  });
  http::test::recorder first;
  s.serve(first);
  http::test::recorder second;
  s.serve(second);
  static_cast<void>(context::background());  // below no handler
  std::size_t reports = 0;
  for (std::string const& line : s.sink->lines()) {
    if (line.find("level=WARN") == std::string::npos) continue;
    ++reports;
    EXPECT_THAT(line, HasSubstr("context::background() below a request handler"));
    EXPECT_THAT(line, HasSubstr("GET /users/{id}"));
    EXPECT_THAT(line, HasSubstr("budget_test.cc:"));
  }
  EXPECT_EQ(reports, 2U) << s.sink->text();
}

}  // namespace
}  // namespace vole
