// SPDX-License-Identifier: Apache-2.0
// The parts that need a database, on an SQLite file of the test's own.
#include "store.h"

#include <chrono>
#include <filesystem>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <string>

#include "vole/http/test.h"
#include "vole/net.h"
#include "vole/runtime.h"
#include "vole/sql/sqlite.h"

#include "api.h"
#include "config.h"
#include "database_watch.h"
#include "market.h"

namespace folio {
namespace {

using namespace std::chrono_literals;

class folio_parts : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string made = (std::filesystem::temp_directory_path() / "folio-XXXXXX").string();
    ASSERT_NE(::mkdtemp(made.data()), nullptr);
    folder = made;
    config from;
    from.database = "sqlite:" + folder + "/folio.db";
    auto opened = open_database(ctx, from, {});
    ASSERT_TRUE(opened) << opened.error().message();
    data.emplace(*opened);
    auto parsed = price_series::parse("A,Jan 1 2000,10.00\n", "p.csv");
    ASSERT_TRUE(parsed);
    shop.emplace(std::move(parsed->series), *data, hub, vole::log::logger(), registry);
    error const err = shop->resume(ctx);
    ASSERT_FALSE(err) << err.message();
  }
  void TearDown() override {
    error const closed = data ? data->db().close(ctx) : error();
    EXPECT_FALSE(closed) << closed.message();
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }

  // The id of an order that was left open.
  std::string open_order(std::int64_t limit_minor) {
    refuse_fn const refuse = [](vole::service::problem const& p, error const& why) -> answer {
      ADD_FAILURE() << why.message();
      return {.status = p.status, .body = {}};
    };
    EXPECT_TRUE(data->create_user(ctx, {"u", "u@b.c"}));
    EXPECT_TRUE(data->deposit(ctx, {"k1", "h"}, "u", {100'000, "USD"}, refuse));
    auto const given = data->place_order(
        ctx, {"k2", "h"}, {"u", "A", order_side::buy, order_type::limit, 1'000'000, limit_minor},
        refuse);
    EXPECT_TRUE(given && given->status == 202);
    auto const placed = json::decode<order>(given.value_or(answer{}).body);
    return placed ? placed->id : "";
  }

  // tidy: stored context, every call of a test runs under it
  context const ctx;
  std::string folder;
  vole::metrics::registry registry;
  std::optional<store> data;
  price_hub hub;
  std::optional<market> shop;
};

TEST_F(folio_parts, an_order_is_filled_though_the_request_that_placed_it_has_ended) {
  std::string const id = open_order(500);
  hub.publish({{"A", 400, "t"}});  // while it was being placed: the feed did not see it
  auto const [gone, cancel] = context::with_cancel(ctx);
  cancel();
  shop->placed(gone, "A");
  auto const now = data->find_order(ctx, id);
  ASSERT_TRUE(now) << now.error().message();
  EXPECT_EQ(now->state, order_state::filled);
}

TEST_F(folio_parts, a_step_is_saved_by_one_of_two) {
  EXPECT_EQ(data->save_step(ctx, 0, {{"A", 1, "t"}}).value(), true);
  EXPECT_EQ(data->save_step(ctx, 0, {{"A", 2, "t"}}).value(), false);
  EXPECT_EQ(data->save_step(ctx, -1, {{"A", 3, "t"}}).value(), false);
  auto const state = data->load_feed(ctx);
  ASSERT_TRUE(state);
  EXPECT_EQ(state->step, 1);
  EXPECT_EQ(state->prices.at(0).price_minor, 1);
}

TEST_F(folio_parts, a_stream_to_a_client_that_takes_nothing_ends_with_the_serving) {
  auto const [serving, stop] = context::with_cancel(ctx);
  api contract(*data, hub, *shop, serving, {});
  http::mux mux;
  contract.add_routes(mux);
  http::test::memory_server server{http::handler(mux)};
  auto const client = server.connect();
  std::string_view const asked = "GET /v1/prices/stream HTTP/1.1\r\nHost: x\r\n\r\n";
  ASSERT_FALSE(client->write(ctx, vole::io::bytes(asked)));
  while (hub.subscribers() == 0) vole::runtime::yield();
  stop();
  auto const [late, cancel] = context::with_timeout(ctx, 20s);
  while (hub.subscribers() != 0 && !late.err()) vole::runtime::yield();
  EXPECT_EQ(hub.subscribers(), 0u);
}

TEST_F(folio_parts, a_database_that_has_just_answered_is_ready_without_a_ping) {
  database_watch const watch(registry);
  auto opened =
      vole::sqlite::open(ctx, folder + "/other.db", {.readers_max = 1, .hooks = watch.hooks()});
  ASSERT_TRUE(opened);
  vole::sql::db db = *opened;
  {
    auto held = db.begin(ctx, {.read_only = true});  // the only reader: a ping must wait
    ASSERT_TRUE(held);
    auto const [soon, cancel] = context::with_timeout(ctx, 5ms);
    EXPECT_TRUE(database_watch(vole::metrics::registry()).readiness(soon, db));
    auto const [later, cancel_later] = context::with_timeout(ctx, 20s);
    ASSERT_TRUE(held->query(ctx, "select 1"));
    EXPECT_FALSE(watch.readiness(later, db));
  }
  EXPECT_FALSE(db.close(ctx));
  EXPECT_NE(registry.text().find("sql_operation_duration_seconds_count{operation=\"query\"} 1\n"),
            std::string::npos)
      << registry.text();
}

TEST(folio_hints, name_addresses_that_can_be_reached) {
  EXPECT_NE(hints("[::]:9000", "").find("http://127.0.0.1:9000/v1/prices\n"), std::string::npos);
  EXPECT_NE(hints("0.0.0.0:80", "").find("http://127.0.0.1:80/"), std::string::npos);
  EXPECT_EQ(hints("127.0.0.1:1", "").find("pprof"), std::string::npos);
  EXPECT_NE(hints("10.1.2.3:1", "[::1]:2").find("http://[::1]:2/debug/pprof/profile"),
            std::string::npos);
}

}  // namespace
}  // namespace folio
