// SPDX-License-Identifier: Apache-2.0
#include "service/admin.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vole/http/test.h"

#include "service/endpoint.h"

namespace vole {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

struct answer {
  int status = 0;
  std::string type;
  std::string body;
};

// admin is the admin pages behind their guard, and the ops pages, each on a server in memory.
struct admin {
  std::shared_ptr<log::memory_sink> sink = std::make_shared<log::memory_sink>();
  service::admin_pages pages;
  http::mux mux;

  explicit admin(bool ops = false) {
    pages.name = "folio<";
    pages.version = "1.2";
    pages.logger = log::logger({.to = sink});
    pages.registry.counter("c_total", "C.").add(3);
    pages.health.set_ready();
    pages.config = {{"token", "FOLIO_TOKEN", "[redacted]", "environment", "the \"token\""}};
    if (ops) {
      service::add_ops_pages(mux, pages, false);
    } else {
      service::add_admin_pages(mux, pages);
    }
  }

  answer send(http::client_request request, std::string token = {}) {
    auto const guard = service::admin_guard(secret<std::string>(std::move(token)));
    http::test::memory_server server(guard(mux));
    auto res = server.client().send(context::background(), request);
    if (!res) {
      ADD_FAILURE() << res.error().message();
      return {};
    }
    auto body = res->read_all(context::background());
    return {res->status(), std::string(res->header().get("Content-Type")), body.value_or("")};
  }
  answer get(std::string_view path) {
    http::client_request request;
    request.url = fmt::format("http://127.0.0.1:6060{}", path);
    return send(std::move(request));
  }
  answer put(std::string_view path, std::string body) {
    http::client_request request;
    request.method = "PUT";
    request.url = fmt::format("http://127.0.0.1:6060{}", path);
    request.body = std::move(body);
    return send(std::move(request));
  }
};

TEST(admin, shows_an_index_with_escaped_names) {
  admin a;
  auto const got = a.get("/");
  EXPECT_EQ(got.status, 200);
  EXPECT_EQ(got.type, "text/html; charset=utf-8");
  EXPECT_THAT(got.body, HasSubstr("<h1>folio&lt;</h1>"));
  EXPECT_THAT(got.body, HasSubstr("<a href=\"/debug/pprof/\">"));
  EXPECT_EQ(a.get("/nowhere").status, 404);
}

TEST(admin, shows_metrics_health_and_settings) {
  admin a;
  auto const metrics = a.get("/metrics");
  EXPECT_EQ(metrics.type, "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_EQ(metrics.body, "# HELP c_total C.\n# TYPE c_total counter\nc_total 3\n");
  EXPECT_EQ(a.get("/livez").body, "alive\n");
  EXPECT_EQ(a.get("/readyz").body, "ready\n");
  auto const config = a.get("/debug/config");
  EXPECT_EQ(config.type, "application/json");
  EXPECT_EQ(config.body,
            R"({"name":"folio<","version":"1.2","config":[{"name":"token","value":"[redacted]",)"
            R"("source":"environment","environment":"FOLIO_TOKEN","help":"the \"token\""}]})"
            "\n");
}

TEST(admin, shows_profiles) {
  admin a;
  EXPECT_EQ(a.get("/debug/pprof/").status, 200);
  EXPECT_THAT(a.get("/debug/pprof/goroutine?debug=1").body, HasSubstr("goroutine profile: total"));
}

TEST(admin, changes_the_log_level) {
  admin a;
  EXPECT_EQ(a.get("/debug/log-level").body, "INFO\n");
  EXPECT_EQ(a.put("/debug/log-level", "debug\n").body, "DEBUG\n");
  EXPECT_EQ(a.pages.logger.minimum(), log::level::debug);
  EXPECT_THAT(a.sink->text(), HasSubstr("msg=\"log level changed\" from=INFO to=DEBUG"));
  auto const bad = a.put("/debug/log-level", "loud");
  EXPECT_EQ(bad.status, 400);
  EXPECT_THAT(bad.body, HasSubstr(R"("code":"invalid_log_level")"));
  EXPECT_EQ(a.put("/debug/log-level", std::string(1000, 'x')).status, 413);
  EXPECT_EQ(a.pages.logger.minimum(), log::level::debug);
}

TEST(admin, names_a_failed_check_and_logs_its_beginning_and_end_once) {
  admin a;
  bool broken = true;
  a.pages.health.add_readiness("database", [&](context const&) -> error {
    return broken ? errors::make("connection refused") : error();
  });
  for (int i = 0; i < 3; ++i) {
    auto const got = a.get("/readyz");
    EXPECT_EQ(got.status, 503);
    EXPECT_THAT(got.body, HasSubstr("not ready\ndatabase: failed ("));
    EXPECT_THAT(got.body, HasSubstr("): connection refused\n"));
  }
  EXPECT_EQ(a.sink->lines().size(), 1U) << a.sink->text();
  EXPECT_THAT(a.sink->text(), HasSubstr("level=WARN msg=\"readiness check fails\" check=database"));
  broken = false;
  EXPECT_EQ(a.get("/readyz").status, 200);
  EXPECT_EQ(a.sink->lines().size(), 2U) << a.sink->text();
  a.pages.health.set_not_ready("draining");
  EXPECT_THAT(a.get("/readyz").body, HasSubstr("not ready: draining\ndatabase: ok ("));
}

TEST(admin, the_ops_pages_show_health_and_metrics_and_no_more) {
  admin a(true);
  a.pages.health.add_readiness("database",
                               [](context const&) { return errors::make("password is hunter2"); });
  auto const ready = a.get("/readyz");
  EXPECT_EQ(ready.status, 503);
  EXPECT_THAT(ready.body, HasSubstr("database: failed"));
  EXPECT_THAT(ready.body, Not(HasSubstr("hunter2")));
  EXPECT_EQ(a.get("/livez").status, 200);
  EXPECT_EQ(a.get("/metrics").status, 200);
  for (char const* const path : {"/", "/debug/config", "/debug/log-level", "/debug/pprof/"}) {
    EXPECT_EQ(a.get(path).status, 404) << path;
  }
}

TEST(admin, answers_to_loopback_names_only) {
  struct {
    char const* host;
    int status;
  } const cases[] = {{"localhost:6060", 200},
                     {"127.0.0.1:6060", 200},
                     {"127.0.0.1", 200},
                     {"[::1]:6060", 200},
                     {"evil.example", 403},
                     {"evil.example:6060", 403},
                     {"localhost.evil.example", 403},
                     {"10.0.0.7:6060", 403}};
  for (auto const& c : cases) {
    admin a;
    http::client_request request;
    request.url = fmt::format("http://{}/livez", c.host);
    EXPECT_EQ(a.send(std::move(request)).status, c.status) << c.host;
  }
}

TEST(admin, asks_for_its_token_when_there_is_one) {
  struct {
    char const* authorization;
    int status;
  } const cases[] = {{nullptr, 401},
                     {"Bearer", 401},
                     {"Bearer wrong1", 401},
                     {"Bearer token12", 401},
                     {"Digest token1", 401},
                     {"Basic token1", 401},
                     {"Basic !", 401},
                     {"Basic dG9rZW4x", 401},          // token1
                     {"Basic dG9rZW4xOng=", 401},      // token1:x
                     {"Basic ZXZlOnRva2VuMg==", 401},  // eve:token2
                     {"Basic ZXZlOnRva2VuMQ==", 200},  // eve:token1
                     {"basic OnRva2VuMQ==", 200},      // :token1
                     {"Bearer token1", 200},
                     {"bearer token1", 200}};
  for (auto const& c : cases) {
    admin a;
    http::client_request request;
    request.url = "http://admin.example/livez";
    if (c.authorization != nullptr) request.header.set("Authorization", c.authorization);
    EXPECT_EQ(a.send(std::move(request), "token1").status, c.status)
        << (c.authorization == nullptr ? "nothing" : c.authorization);
  }
}

TEST(admin, does_not_answer_to_pages_of_other_sites) {
  struct {
    char const* name;
    char const* value;
    int status;
  } const cases[] = {{"Sec-Fetch-Site", "cross-site", 403},   {"Sec-Fetch-Site", "same-site", 403},
                     {"Sec-Fetch-Site", "same-origin", 200},  {"Sec-Fetch-Site", "none", 200},
                     {"Origin", "http://evil.example", 403},  {"Origin", "null", 403},
                     {"Origin", "http://127.0.0.1:6060", 200}};
  for (auto const& c : cases) {
    admin a;
    http::client_request request;
    request.url = "http://127.0.0.1:6060/livez";
    request.header.set(c.name, c.value);
    EXPECT_EQ(a.send(std::move(request)).status, c.status) << c.name << ": " << c.value;
  }
}

TEST(admin, knows_loopback_addresses) {
  EXPECT_TRUE(service::is_loopback("127.0.0.1:6060"));
  EXPECT_TRUE(service::is_loopback("127.8.9.1:0"));
  EXPECT_TRUE(service::is_loopback("[::1]:6060"));
  EXPECT_TRUE(service::is_loopback("localhost:6060"));
  EXPECT_FALSE(service::is_loopback(":6060"));
  EXPECT_FALSE(service::is_loopback("0.0.0.0:6060"));
  EXPECT_FALSE(service::is_loopback("[::]:6060"));
  EXPECT_FALSE(service::is_loopback("db:6060"));
  EXPECT_FALSE(service::is_loopback("nonsense"));
}

TEST(admin, a_command_line_is_shown_without_its_secrets) {
  std::vector<service::config_entry> const config = {
      {"token", "FOLIO_TOKEN", "[redacted]", "flag", ""}, {"listen", "FOLIO_LISTEN", "x", "", ""}};
  std::vector<std::string> words = {"folio",
                                    "--token",
                                    "hush",
                                    "--token=hush",
                                    "--listen",
                                    "x",
                                    "--database=postgres://u:pw@h/d",
                                    "postgres://u:pw@h/d"};
  service::hide_secrets(config, words);
  EXPECT_EQ(words, (std::vector<std::string>{
                       "folio", "--token", "[redacted]", "--token=[redacted]", "--listen", "x",
                       "--database=postgres://u:[redacted]@h/d", "postgres://u:[redacted]@h/d"}));
}

}  // namespace
}  // namespace vole
