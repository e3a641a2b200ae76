// SPDX-License-Identifier: Apache-2.0
#include "vole/service/request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdexcept>

#include "vole/attr.h"
#include "vole/http/client.h"
#include "vole/http/mux.h"
#include "vole/http/test.h"
#include "vole/net.h"
#include "vole/service/problem.h"
#include "vole/trace.h"

namespace vole {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

// stage is a mux behind observe, with what observe writes to.
struct stage {
  std::shared_ptr<log::memory_sink> sink = std::make_shared<log::memory_sink>();
  metrics::registry registry;
  http::mux mux;
  service::observe_options how;

  stage() {
    how.logger = log::logger({.to = sink});
    how.registry = &registry;
  }
  http::handler handler() const { return service::observe(how)(mux); }
  void serve(http::test::recorder& res, http::request& req) const { handler()(res, req); }
  // The only line, from its message on.
  std::string line() const {
    auto const all = sink->lines();
    EXPECT_EQ(all.size(), 1U) << sink->text();
    return all.empty() ? "" : all[0].substr(all[0].find("level="));
  }
};

void hello(http::response_writer& res, http::request& req) {
  http::reply(res, http::status::ok, fmt::format("hello {}", req.path_value("name")));
}

TEST(observe, writes_one_line_per_request) {
  stage s;
  s.mux.handle("GET /hello/{name}", hello);
  http::test::recorder res;
  auto const req = http::test::make_request("GET", "/hello/ann?token=hunter2");
  req->header().set("X-Request-Id", "req-17");
  req->header().set("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  s.serve(res, *req);
  EXPECT_THAT(s.line(), MatchesRegex("level=INFO msg=request request_id=req-17 "
                                     "trace_id=0af7651916cd43dd8448eb211c80319c method=GET "
                                     "route=/hello/\\{name\\} path=/hello/ann status=200 bytes=9 "
                                     "duration_ms=[0-9.]+ remote=.*"));
  EXPECT_THAT(s.line(), Not(HasSubstr("hunter2"))) << "a query may hold secrets";
  EXPECT_EQ(res.sent_header().get("X-Request-Id"), "req-17");
}

TEST(observe, makes_a_request_id_when_there_is_none_to_trust) {
  for (std::string_view const given : {"", "a b", "x\"y",
                                       "0123456789012345678901234567890123456789"
                                       "0123456789012345678901234"}) {
    stage s;
    http::test::recorder res;
    auto const req = http::test::make_request("GET", "/");
    if (!given.empty()) req->header().set("X-Request-Id", given);
    s.serve(res, *req);
    EXPECT_THAT(std::string(res.sent_header().get("X-Request-Id")), MatchesRegex("[0-9a-f]{32}"));
  }
  stage s;
  s.how.trust_request_id = false;
  http::test::recorder res;
  auto const req = http::test::make_request("GET", "/");
  req->header().set("X-Request-Id", "req-17");
  s.serve(res, *req);
  EXPECT_NE(res.sent_header().get("X-Request-Id"), "req-17");
}

TEST(observe, gives_the_handler_id_and_trace_in_its_context) {
  stage s;
  std::string id;
  trace::span_context span;
  s.mux.handle("/", [&](http::response_writer&, http::request& req) {
    id = log::request_id(req.ctx());
    if (auto const* found = trace::from_context(req.ctx())) span = *found;
  });
  http::test::recorder res;
  auto const req = http::test::make_request("GET", "/");
  req->header().set("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  req->header().add("tracestate", "a=1");
  req->header().add("tracestate", "b=2");
  s.serve(res, *req);
  EXPECT_EQ(id, res.header().get("X-Request-Id"));
  EXPECT_EQ(span.trace.hex(), "0af7651916cd43dd8448eb211c80319c");
  EXPECT_NE(span.span.hex(), "b7ad6b7169203331");
  EXPECT_EQ(span.state, "a=1,b=2");
}

TEST(observe, begins_a_trace_anew_when_the_callers_is_not_one) {
  constexpr std::string_view good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  std::vector<std::vector<std::string_view>> const cases = {
      {"00-00000000000000000000000000000000-b7ad6b7169203331-01"}, {good, good}, {}};
  for (auto const& lines : cases) {
    stage s;
    trace::span_context span;
    s.mux.handle("/", [&](http::response_writer&, http::request& req) {
      if (auto const* found = trace::from_context(req.ctx())) span = *found;
    });
    http::test::recorder res;
    auto const req = http::test::make_request("GET", "/");
    for (auto const line : lines) req->header().add("traceparent", line);
    req->header().add("tracestate", "a=1");
    s.serve(res, *req);
    EXPECT_TRUE(span.valid());
    EXPECT_NE(span.trace.hex(), "0af7651916cd43dd8448eb211c80319c");
    EXPECT_EQ(span.state, "");
    EXPECT_FALSE(span.sampled());
  }
}

TEST(observe, a_client_sends_the_trace_on_to_the_next_service) {
  stage behind;
  trace::span_context seen;
  std::string id;
  behind.mux.handle("/", [&](http::response_writer&, http::request& req) {
    if (auto const* found = trace::from_context(req.ctx())) seen = *found;
    id = log::request_id(req.ctx());
  });
  http::test::memory_server next(behind.handler());
  http::client client(
      {.dial = [&next](context const&, std::string_view) -> result<std::unique_ptr<net::conn>> {
         return next.connect();
       },
       .propagate = service::propagate()});
  stage front;
  trace::span_context ours;
  front.mux.handle("/", [&](http::response_writer&, http::request& req) {
    if (auto const* found = trace::from_context(req.ctx())) ours = *found;
    EXPECT_TRUE(client.get(req.ctx(), "http://next/"));
  });
  http::test::recorder res;
  auto const req = http::test::make_request("GET", "/");
  req->header().set("X-Request-Id", "req-17");
  req->header().set("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  req->header().set("tracestate", "a=1");
  front.serve(res, *req);
  EXPECT_EQ(seen.trace.hex(), "0af7651916cd43dd8448eb211c80319c");
  EXPECT_NE(seen.span, ours.span);
  EXPECT_TRUE(seen.sampled());
  EXPECT_EQ(seen.state, "a=1");
  EXPECT_EQ(id, "req-17");
}

TEST(observe, a_client_without_a_trace_sends_none) {
  http::headers to;
  service::propagate()(context::background(), to);
  EXPECT_TRUE(to.empty());
  service::propagate()(trace::with_span(context::background(), trace::start_span({})), to);
  EXPECT_TRUE(to.has("traceparent"));
  EXPECT_FALSE(to.has("tracestate"));
  EXPECT_FALSE(to.has("X-Request-Id"));
}

TEST(observe, logs_the_attributes_and_the_stack_of_an_error) {
  stage s;
  s.mux.handle("/", service::handler([](http::response_writer&, http::request&) {
                 return errors::with_stack(errors::wrap(
                     errors::with_attrs(errors::make("no price"), {{"symbol", "AAPL"}}), "value"));
               }));
  http::test::recorder res;
  auto const req = http::test::make_request("GET", "/");
  s.serve(res, *req);
  EXPECT_THAT(s.line(), HasSubstr("error=\"value: no price\" error_attrs.symbol=AAPL"));
  EXPECT_THAT(s.line(), HasSubstr("error_stack=\""));
  EXPECT_THAT(s.line(), HasSubstr("observe_logs_the_attributes_and_the_stack_of_an_error_Test"));
}

TEST(observe, logs_a_failed_request_once_with_its_error) {
  stage s;
  s.mux.handle("GET /v1/users/{id}",
               service::handler([](http::response_writer&, http::request& req) -> error {
                 return errors::wrap(errors::make("connection refused"), "load user {}",
                                     req.path_value("id"));
               }));
  http::test::recorder res;
  auto const req = http::test::make_request("GET", "/v1/users/u1");
  s.serve(res, *req);
  EXPECT_EQ(res.status(), 500);
  EXPECT_THAT(res.body(), Not(HasSubstr("refused")));
  EXPECT_THAT(s.line(), HasSubstr("level=ERROR msg=request"));
  EXPECT_THAT(s.line(), HasSubstr("status=500"));
  EXPECT_THAT(s.line(), HasSubstr("error=\"load user u1: connection refused\""));
}

TEST(observe, a_request_that_the_client_got_wrong_is_no_error_of_ours) {
  stage s;
  s.mux.handle("/", service::handler([](http::response_writer&, http::request&) {
                 return service::fail(409, "user_exists", "user u1 exists already");
               }));
  http::test::recorder res;
  auto const req = http::test::make_request("POST", "/");
  s.serve(res, *req);
  EXPECT_THAT(s.line(), HasSubstr("level=INFO msg=request"));
  EXPECT_THAT(s.line(), HasSubstr("error=\"user_exists: user u1 exists already\""));
}

TEST(observe, makes_a_500_of_a_foreign_exception) {
  stage s;
  s.mux.handle("/throw", [](http::response_writer&, http::request&) {
    throw std::runtime_error("vector::at: secret detail");
  });
  s.mux.handle("/odd", [](http::response_writer&, http::request&) { throw 42; });
  for (char const* const path : {"/throw", "/odd"}) {
    s.sink->clear();
    http::test::recorder res;
    auto const req = http::test::make_request("GET", path);
    s.serve(res, *req);
    EXPECT_EQ(res.status(), 500);
    EXPECT_EQ(res.sent_header().get("Content-Type"), "application/problem+json");
    EXPECT_THAT(res.body(), HasSubstr(R"("code":"internal")"));
    EXPECT_THAT(res.body(), Not(HasSubstr("secret detail")));
    EXPECT_THAT(s.line(), HasSubstr("error=\"exception from the handler: "));
  }
}

TEST(observe, an_exception_after_the_answer_began_goes_on_to_the_server) {
  stage s;
  s.mux.handle("/", [](http::response_writer& res, http::request&) {
    EXPECT_FALSE(res.write("half"));
    throw std::runtime_error("too late");
  });
  http::test::recorder res;
  auto const req = http::test::make_request("GET", "/");
  EXPECT_THROW(s.serve(res, *req), std::runtime_error);
  EXPECT_THAT(s.line(), HasSubstr("level=ERROR msg=request"));
  EXPECT_THAT(s.line(),
              HasSubstr("error=\"exception from the handler: std::runtime_error: too late"));
  EXPECT_THAT(s.registry.text(), HasSubstr("http_requests_total{method=\"GET\",route=\"/\","));
}

TEST(observe, counts_requests_by_route_not_by_path) {
  stage s;
  s.mux.handle("GET /hello/{name}", hello);
  for (char const* const target : {"/hello/a", "/hello/b", "/nowhere/1", "/nowhere/2"}) {
    http::test::recorder res;
    auto const req = http::test::make_request("GET", target);
    s.serve(res, *req);
  }
  http::test::recorder res;
  auto const odd = http::test::make_request("BREW", "/hello/a");
  s.serve(res, *odd);
  auto const text = s.registry.text();
  EXPECT_THAT(text, HasSubstr("http_requests_total{method=\"GET\",route=\"/hello/{name}\","
                              "status=\"200\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("http_requests_total{method=\"GET\",route=\"unmatched\","
                              "status=\"404\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("http_requests_total{method=\"other\",route=\"unmatched\","
                              "status=\"405\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("http_request_duration_seconds_count{method=\"GET\","
                              "route=\"/hello/{name}\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("http_response_bytes_total{method=\"GET\",route=\"/hello/{name}\"} "
                              "14\n"));
}

TEST(observe, may_log_failed_requests_only) {
  stage s;
  s.how.log_all = false;
  s.mux.handle("GET /hello/{name}", hello);
  http::test::recorder res;
  auto const req = http::test::make_request("GET", "/hello/a");
  s.serve(res, *req);
  EXPECT_EQ(s.sink->text(), "");
}

TEST(observe, bounds_the_request_by_a_deadline) {
  stage s;
  s.how.timeout = 1ms;
  s.mux.handle("/", service::handler([](http::response_writer&, http::request& req) {
                 return errors::wrap(time::sleep(req.ctx(), 1h), "wait for the bank");
               }));
  http::test::recorder res;
  auto const req = http::test::make_request("GET", "/");
  s.serve(res, *req);
  EXPECT_EQ(res.status(), 504);
  EXPECT_THAT(res.body(), HasSubstr(R"("code":"timeout")"));
  EXPECT_THAT(s.line(), HasSubstr("error=\"wait for the bank: context deadline exceeded\""));
}

TEST(observe, set_error_outside_of_it_does_nothing) {
  auto const req = http::test::make_request("GET", "/");
  service::set_error(*req, errors::make("nobody sees"));
}

}  // namespace
}  // namespace vole
