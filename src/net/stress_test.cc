// SPDX-License-Identifier: Apache-2.0
// Many connections at once, and every call against every other on one connection.
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "vole/runtime.h"
#include "vole/testing.h"
#include "vole/time.h"

#include "net/conn_pair.h"

namespace vole::net {
namespace {

using namespace std::chrono_literals;

context const ctx = context::background();

class net_stress : public ::testing::TestWithParam<char const*> {};

INSTANTIATE_TEST_SUITE_P(kinds, net_stress, ::testing::Values("tcp", "unix", "pipe"),
                         [](auto const& info) { return std::string(info.param); });

void echo(conn& c) {
  std::byte to[512];
  for (;;) {
    auto const got = c.read(ctx, to);
    if (!got || *got == 0) return;
    if (c.write(ctx, {to, *got})) return;
  }
}

TEST_P(net_stress, many_connections_echo_at_once) {
  constexpr std::size_t connections = 64;
  constexpr int messages = 100;
  std::vector<conn_pair> pairs;
  for (std::size_t i = 0; i < connections; ++i) pairs.push_back(connect_pair(GetParam()));
  sync::wait_group wg;
  for (conn_pair& pair : pairs) {
    wg.go([&pair] { echo(*pair.far); });
    wg.go([&pair] {
      for (int m = 0; m < messages; ++m) {
        std::string const sent(static_cast<std::size_t>(1 + m * 37 % 400),
                               static_cast<char>('a' + m % 26));
        EXPECT_FALSE(io::write(ctx, *pair.near, sent));
        std::string got(sent.size(), '\0');
        error const err = io::read_full(ctx, *pair.near, std::as_writable_bytes(std::span(got)));
        EXPECT_FALSE(err) << err.message();
        EXPECT_EQ(got, sent);
      }
      EXPECT_FALSE(pair.near->close());
    });
  }
  wg.wait();
}

// Reads, writes, deadlines, waits and watches run against each other until one goroutine closes.
TEST_P(net_stress, close_against_everything) {
  for (int round = 0; round < 30; ++round) {
    conn_pair pair = connect_pair(GetParam());
    conn& c = *pair.near;
    sync::wait_group wg;
    internal::atomic<bool> stop{false};
    auto const until_closed = [&](auto call) {
      wg.go([&stop, call] {
        while (!stop && !errors::is(call(), closed)) runtime::yield();
      });
    };
    for (int i = 0; i < 2; ++i) {
      until_closed([&c] {
        std::byte to[100];
        return c.read(ctx, to).error();
      });
      until_closed([&c] { return io::write(ctx, c, "some bytes"); });
      until_closed([&c] { return c.wait_readable(ctx); });
      until_closed([&c] {
        auto const [bounded, cancel] = context::with_timeout(ctx, 50us);
        std::byte to[100];
        return c.read(bounded, to).error();
      });
    }
    until_closed([&c] {
      c.set_deadline(internal::now() + 100us);
      return error();
    });
    until_closed([&c] {
      bool heard = false;
      peer_watch const watch(c, [&heard] { heard = true; });
      runtime::yield();
      return error();
    });
    wg.go([&pair] { echo(*pair.far); });
    for (int i = 0; i < 20 * (round % 4); ++i) runtime::yield();
    if (round % 2 == 0) {
      EXPECT_FALSE(pair.far->close());
    }
    EXPECT_FALSE(c.close());
    stop = true;
    wg.wait();
    EXPECT_FALSE(pair.far->close());
  }
}

TEST_P(net_stress, half_closed_connections_carry_all_bytes) {
  for (int round = 0; round < 50; ++round) {
    conn_pair pair = connect_pair(GetParam());
    std::string const sent(static_cast<std::size_t>(round * 997), 'z');
    sync::wait_group wg;
    wg.go([&] {
      EXPECT_FALSE(io::write(ctx, *pair.near, sent));
      EXPECT_FALSE(pair.near->close_write());
      EXPECT_EQ(*io::read_all(ctx, *pair.near, 100), "thanks");
    });
    EXPECT_EQ(io::read_all(ctx, *pair.far, 1 << 20)->size(), sent.size());
    EXPECT_FALSE(io::write(ctx, *pair.far, "thanks"));
    EXPECT_FALSE(pair.far->close());
    wg.wait();
  }
}

// A listener under clients that come, say something or nothing, and go.
TEST(net_listener_stress, serves_clients_that_come_and_go) {
  auto const l = listen("tcp", "127.0.0.1:0");
  ASSERT_TRUE(l);
  sync::wait_group serving;
  serving.go([&] {
    for (;;) {
      auto accepted = (*l)->accept(ctx);
      if (!accepted) return;
      serving.go([c = *std::move(accepted)] { echo(*c); });
    }
  });
  sync::wait_group clients;
  std::string const at = (*l)->addr().text();
  for (int i = 0; i < 16; ++i) {
    clients.go([&at, i] {
      for (int n = 0; n < 25; ++n) {
        auto const c = dial(ctx, "tcp", at);
        ASSERT_TRUE(c) << c.error().message();
        if ((i + n) % 3 == 0) continue;
        EXPECT_FALSE(io::write(ctx, **c, "hi"));
        if ((i + n) % 3 == 1) continue;
        EXPECT_EQ(read_text(**c), "hi");
      }
    });
  }
  clients.wait();
  EXPECT_FALSE((*l)->close());
  serving.wait();
}

}  // namespace
}  // namespace vole::net
