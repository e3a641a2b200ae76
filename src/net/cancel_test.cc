// SPDX-License-Identifier: Apache-2.0
// A cancel against what each call of net waits for, round after round: no byte is eaten, and no
// connection, look-up or goroutine is left.
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <vector>

#include "vole/chan.h"
#include "vole/net.h"
#include "vole/runtime.h"
#include "vole/testing.h"

#include "net/conn_pair.h"
#include "net/resolver.h"
#include "testing/cancel_race.h"

namespace vole::net {
namespace {

using namespace std::chrono_literals;
using testing::race_cancel;

constexpr int rounds = 150;

context const bg = context::background();

error error_of(result<void> const& outcome) {
  return outcome.error();
}

class net_cancel : public ::testing::TestWithParam<char const*> {
 protected:
  void SetUp() override { ends = connect_pair(GetParam()); }

  conn_pair ends;
};
INSTANTIATE_TEST_SUITE_P(each, net_cancel, ::testing::Values("tcp", "unix", "pipe"),
                         [](auto const& param) { return std::string(param.param); });

TEST_P(net_cancel, a_read_eats_no_byte) {
  std::string sent;
  std::string got;
  std::byte room[16];
  race_cancel(
      201, rounds,
      [&](context const& ctx) {
        auto const n = ends.near->read(ctx, room);
        if (n) got.append(reinterpret_cast<char const*>(room), *n);
        return n.error();
      },
      [&](context const&) {
        std::string const part(1 + sent.size() % 3, static_cast<char>('a' + sent.size() % 26));
        EXPECT_FALSE(ends.far->write(bg, io::bytes(part)));
        sent += part;
      },
      [](error const&) {});
  EXPECT_FALSE(ends.far->close_write());
  auto const rest = io::read_all(bg, *ends.near, 1 << 20);
  ASSERT_TRUE(rest);
  EXPECT_EQ(got + *rest, sent);
}

TEST_P(net_cancel, wait_readable_takes_nothing) {
  std::string sent;
  race_cancel(
      202, rounds, [&](context const& ctx) { return ends.near->wait_readable(ctx); },
      [&](context const&) {
        EXPECT_FALSE(ends.far->write(bg, io::bytes("x")));
        sent += 'x';
      },
      [&](error const&) { EXPECT_EQ(read_text(*ends.near, 1), "x"); });
}

// A write that is ended may have sent a beginning, and never anything else.
TEST_P(net_cancel, a_write_sends_a_beginning_or_all) {
  std::string const text(16 << 20, 't');
  for (int round = 0; round < 4; ++round) {
    conn_pair pair = connect_pair(GetParam());
    std::size_t arrived = 0;
    auto [ctx, cancel] = context::with_cancel(bg);
    auto const before = testing::parked();
    task<void> writing = spawn([&, ctx = ctx] { return pair.near->write(ctx, io::bytes(text)); });
    testing::wait_until_parked(before + 1);
    std::vector<std::byte> room(1000);
    for (int i = 0; i < round; ++i) {
      auto const n = pair.far->read(bg, room);
      ASSERT_TRUE(n);
      arrived += *n;
    }
    cancel();
    error const err = error_of(writing.get(bg));
    EXPECT_TRUE(errors::is(err, context::canceled)) << err.message();
    EXPECT_FALSE(pair.near->close_write());
    auto const rest = io::read_all(bg, *pair.far, text.size());
    ASSERT_TRUE(rest);
    EXPECT_LT(arrived + rest->size(), text.size());
    EXPECT_EQ(*rest, std::string(rest->size(), 't'));
  }
}

TEST_P(net_cancel, wait_peer_closed) {
  for (int seed = 1; seed <= 3; ++seed) {
    race_cancel(
        static_cast<std::uint32_t>(seed), 30,
        [&](context const& ctx) { return ends.near->wait_peer_closed(ctx); },
        [&](context const&) { EXPECT_FALSE(ends.far->close()); },
        [&](error const&) { ends = connect_pair(GetParam()); });
  }
}

TEST(net_calls, listen_on_a_name_ends_with_its_context) {
  auto [ctx, cancel] = context::with_cancel(bg);
  cancel();
  auto const l = listen(ctx, "tcp", "localhost:0");
  ASSERT_FALSE(l);
  EXPECT_EQ(l.error().message(), "listen tcp localhost:0: look up localhost: context canceled");
}

TEST(net_calls, accept_takes_a_connection_or_leaves_it) {
  auto const l = listen("tcp", "127.0.0.1:0");
  ASSERT_TRUE(l);
  int dialed = 0;
  int accepted = 0;
  race_cancel(
      203, rounds,
      [&](context const& ctx) {
        auto const c = (*l)->accept(ctx);
        if (c) ++accepted;
        return c.error();
      },
      [&](context const&) {
        if (dial(bg, "tcp", (*l)->addr().text())) ++dialed;
      },
      [&](error const& err) {
        if (!err) return;
        EXPECT_TRUE((*l)->accept(bg)) << "a connection was lost";
        ++accepted;
      });
  EXPECT_EQ(accepted, dialed);
}

TEST(net_calls, dial_gives_a_connection_or_closes_it) {
  pipe_listener memory;
  race_cancel(
      204, rounds, [&](context const& ctx) { return memory.dial(ctx).error(); },
      [&](context const& over) { static_cast<void>(memory.accept(over)); }, [](error const&) {});
  auto const l = listen("tcp", "127.0.0.1:0");
  ASSERT_TRUE(l);
  std::string const to = (*l)->addr().text();
  race_cancel(
      205, rounds, [&](context const& ctx) { return dial(ctx, "tcp", to).error(); },
      [&](context const& over) {
        auto const c = (*l)->accept(over);
        if (!c) return;
        // The other end is gone, be it because the dial was canceled or because it is over.
        EXPECT_FALSE((*c)->wait_peer_closed(bg));
      },
      [](error const&) {});
}

TEST(net_calls, lookup_lets_its_caller_go_and_ends_alone) {
  chan<unit> const answer(0);
  internal::blocking_resolver names(
      [answer](std::string const&) -> internal::blocking_resolver::answer {
        answer.recv();
        return std::vector{ip_address::loopback_v4()};
      },
      2);
  race_cancel(
      206, rounds, [&](context const& ctx) { return names.lookup(ctx, "db.test").error(); },
      [&](context const& over) { static_cast<void>(send(over, answer, unit{})); },
      [&](error const&) {
        // One whose caller has left still stands in the name service, and holds its place.
        while (names.read_stats().running > 0) {
          if (!answer.try_send({})) runtime::yield();
        }
      });
  EXPECT_GT(names.read_stats().abandoned_total, 0);
  EXPECT_TRUE(system_lookup_stats().running == 0);
}

}  // namespace
}  // namespace vole::net
