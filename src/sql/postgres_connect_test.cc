// SPDX-License-Identifier: Apache-2.0
#include "sql/postgres_connect.h"

#include <cerrno>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vole/defer.h"
#include "vole/internal/format.h"
#include "vole/net.h"

namespace vole::internal {
namespace {

TEST(postgres_connect, one_refused_server_is_one_short_error) {
  error const err = pg_connect_error(
      "connection to server at \"127.0.0.1\", port 5432 failed: Connection refused\n"
      "\tIs the server running on that host and accepting TCP/IP connections?\n",
      "somewhere");
  EXPECT_EQ(err.message(), "connect to 127.0.0.1:5432: connection refused");
  auto const* system = errors::as<errors::system_error>(err);
  ASSERT_NE(system, nullptr);
  EXPECT_EQ(system->code, ECONNREFUSED);
}

TEST(postgres_connect, each_address_of_a_name_has_its_error) {
  error const err = pg_connect_error(
      "connection to server at \"db\" (::1), port 5432 failed: Connection refused\n"
      "\tIs the server running on that host and accepting TCP/IP connections?\n"
      "connection to server at \"db\" (10.0.0.2), port 5432 failed: FATAL:  28P01: password "
      "authentication failed for user \"u\"\nLOCATION:  auth_failed, auth.c:335\n",
      "db:5432");
  EXPECT_EQ(err.message(),
            "connect to [::1]:5432: connection refused; connect to 10.0.0.2:5432: password "
            "authentication failed for user \"u\" (SQLSTATE 28P01)");
  auto const* pg = errors::as<postgres::pg_error>(err);
  ASSERT_NE(pg, nullptr);
  EXPECT_EQ(pg->severity, "FATAL");
}

TEST(postgres_connect, details_and_hints_are_kept_and_other_words_put_in_small_letters) {
  error const full = pg_connect_error(
      "connection to server on socket \"/run/.s.PGSQL.5432\" failed: FATAL:  53300: sorry, too "
      "many clients already\nDETAIL:  there are 100\nHINT:  wait\n",
      "x");
  EXPECT_EQ(full.message(),
            "connect to /run/.s.PGSQL.5432: sorry, too many clients already (SQLSTATE 53300)");
  auto const* pg = errors::as<postgres::pg_error>(full);
  ASSERT_NE(pg, nullptr);
  EXPECT_EQ(pg->detail, "there are 100");
  EXPECT_EQ(pg->hint, "wait");
  EXPECT_EQ(pg_connect_error("Something odd\n", "h:1").message(), "connect to h:1: something odd");
  EXPECT_EQ(pg_connect_error("", "h:1").message(), "connect to h:1: the connection failed");
}

TEST(postgres_connect, a_target_names_its_servers) {
  auto const name = [](std::string_view url) {
    auto const target = pg_target::parse(url, "");
    return target ? target->name() : target.error().message();
  };
  EXPECT_EQ(name("postgres://u@h:6000/d"), "h:6000");
  EXPECT_EQ(name("postgres://h1,h2:6000/d"), "h1:5432, h2:6000");
  EXPECT_EQ(name("host=/run port=7"), "/run/.s.PGSQL.7");
  EXPECT_EQ(name("hostaddr=::1"), "[::1]:5432");
  EXPECT_EQ(name("host=a,b hostaddr=::1"),
            "the database URL is malformed: 2 hosts, 1 addresses and 1 ports");
}

TEST(postgres_connect, a_server_that_says_nothing_leaves_time_for_the_next) {
  auto const silent = net::listen("tcp", "127.0.0.1:0");  // nobody accepts, or answers
  ASSERT_TRUE(silent);
  int const refusing = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);  // bound, not listening
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  ASSERT_EQ(::bind(refusing, reinterpret_cast<sockaddr*>(&at), size), 0);
  ASSERT_EQ(::getsockname(refusing, reinterpret_cast<sockaddr*>(&at), &size), 0);
  defer done = [&] { ::close(refusing); };
  std::string const first = (*silent)->addr().text();
  std::string const second = fmt::format("127.0.0.1:{}", ntohs(at.sin_port));
  auto const target = pg_target::parse(fmt::format("postgres://u@{},{}/d", first, second), "");
  ASSERT_TRUE(target);
  auto const [ctx, cancel] = context::with_timeout(context::background(), std::chrono::seconds(6));
  EXPECT_EQ(target->connect(ctx).error().message(),
            fmt::format("connect to {}: connection timed out; connect to {}: connection refused",
                        first, second));
}

}  // namespace
}  // namespace vole::internal
