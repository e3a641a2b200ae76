// SPDX-License-Identifier: Apache-2.0
// What every kind of connection keeps: the same tests over TCP, unix sockets and pipes.
#include <algorithm>
#include <cstring>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

#include "vole/testing.h"

#include "net/conn_pair.h"

namespace vole::net {
namespace {

using namespace std::chrono_literals;

context const ctx = context::background();

class net_conn : public ::testing::TestWithParam<char const*> {
 protected:
  net_conn() : pair_(connect_pair(GetParam())) {}
  conn& near() { return *pair_.near; }
  conn& far() { return *pair_.far; }
  bool is_socket() const { return std::string_view(GetParam()) != "pipe"; }

  conn_pair pair_;
};

INSTANTIATE_TEST_SUITE_P(kinds, net_conn, ::testing::Values("tcp", "unix", "pipe"),
                         [](auto const& info) { return std::string(info.param); });

TEST_P(net_conn, carries_bytes_both_ways) {
  EXPECT_FALSE(io::write(ctx, near(), "ping"));
  EXPECT_EQ(read_text(far()), "ping");
  EXPECT_FALSE(io::write(ctx, far(), "pong"));
  EXPECT_EQ(read_text(near()), "pong");
}

TEST_P(net_conn, knows_both_addresses) {
  EXPECT_EQ(near().remote_addr().network(), GetParam());
  EXPECT_EQ(near().remote_addr(), far().local_addr());
  EXPECT_EQ(near().local_addr(), far().remote_addr());
}

TEST_P(net_conn, writes_more_than_the_buffers_of_the_system_hold) {
  std::string content(8 << 20, '\0');
  for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i * 7 >> 3);
  sync::wait_group writing;
  writing.go([&] {
    EXPECT_FALSE(io::write(ctx, near(), content));
    EXPECT_FALSE(near().close_write());
  });
  auto const all = io::read_all(ctx, far(), content.size());
  writing.wait();
  ASSERT_TRUE(all) << all.error().message();
  EXPECT_TRUE(*all == content);
}

TEST_P(net_conn, writev_sends_many_parts_as_one) {
  std::vector<std::string> texts;
  std::vector<bytes_view> parts;
  std::string expected;
  for (std::size_t i = 0; i < 300; ++i)
    texts.emplace_back(i % 5 * 3000, static_cast<char>('a' + i % 26));
  for (std::string const& text : texts) {
    parts.push_back(io::bytes(text));
    expected += text;
  }
  sync::wait_group writing;
  writing.go([&] {
    EXPECT_FALSE(near().writev(ctx, parts));
    EXPECT_FALSE(near().writev(ctx, {}));
    EXPECT_FALSE(near().close());
  });
  auto const all = io::read_all(ctx, far(), expected.size());
  writing.wait();
  ASSERT_TRUE(all) << all.error().message();
  EXPECT_TRUE(*all == expected);
}

TEST_P(net_conn, close_write_ends_one_half_only) {
  EXPECT_FALSE(io::write(ctx, near(), "request"));
  EXPECT_FALSE(near().close_write());
  EXPECT_EQ(*io::read_all(ctx, far(), 100), "request");
  EXPECT_FALSE(io::write(ctx, far(), "answer"));
  EXPECT_EQ(read_text(near()), "answer");
}

TEST_P(net_conn, the_end_that_comes_with_the_last_bytes_is_seen) {
  std::string got;
  sync::wait_group reading;
  auto const before = testing::parked();
  reading.go([&] {
    std::byte to[100];
    for (;;) {
      auto const n = far().read(ctx, to);
      if (!n || *n == 0) return;
      got += io::text({to, *n});
    }
  });
  testing::wait_until_parked(before + 1);
  EXPECT_FALSE(io::write(ctx, near(), "bytes and end at once"));
  EXPECT_FALSE(near().close());
  reading.wait();
  EXPECT_EQ(got, "bytes and end at once");
}

TEST_P(net_conn, an_end_that_was_there_before_the_first_read_is_seen) {
  EXPECT_FALSE(io::write(ctx, near(), "gone"));
  EXPECT_FALSE(near().close());
  EXPECT_FALSE(far().wait_peer_closed(ctx));
  EXPECT_EQ(read_text(far()), "gone");
  EXPECT_EQ(read_text(far()), "");
  EXPECT_EQ(read_text(far()), "");
}

TEST_P(net_conn, close_wakes_a_reader_and_a_writer) {
  error read_failed;
  error write_failed;
  sync::wait_group wg;
  auto const before = testing::parked();
  wg.go([&] {
    std::byte one[1];
    read_failed = near().read(ctx, one).error();
  });
  wg.go([&] {
    std::string const more(1 << 20, 'x');
    while (!write_failed) write_failed = io::write(ctx, near(), more);
  });
  testing::wait_until_parked(before + 2);
  EXPECT_FALSE(near().close());
  wg.wait();
  EXPECT_TRUE(errors::is(read_failed, closed)) << read_failed.message();
  EXPECT_TRUE(errors::is(write_failed, closed)) << write_failed.message();
}

TEST_P(net_conn, every_call_after_close_says_closed) {
  EXPECT_FALSE(near().close());
  EXPECT_FALSE(near().close());
  std::byte one[1];
  EXPECT_TRUE(errors::is(near().read(ctx, one).error(), closed));
  EXPECT_TRUE(errors::is(near().write(ctx, one), closed));
  bytes_view const parts[] = {one, one};
  EXPECT_TRUE(errors::is(near().writev(ctx, parts), closed));
  EXPECT_TRUE(errors::is(near().wait_readable(ctx), closed));
  near().set_deadline(time_point{});
  EXPECT_FALSE(near().wait_peer_closed(ctx));
}

TEST_P(net_conn, a_canceled_read_has_eaten_nothing) {
  sync::wait_group wg;
  auto const [bounded, cancel] = context::with_cancel(ctx);
  error failed;
  auto const before = testing::parked();
  wg.go([&, &bounded = bounded] {
    std::byte to[4];
    failed = far().read(bounded, to).error();
  });
  testing::wait_until_parked(before + 1);
  cancel();
  wg.wait();
  EXPECT_TRUE(errors::is(failed, context::canceled)) << failed.message();
  EXPECT_FALSE(io::write(ctx, near(), "all"));
  std::byte to[4];
  EXPECT_TRUE(errors::is(far().read(bounded, to).error(), context::canceled));
  EXPECT_EQ(read_text(far()), "all");
}

TEST_P(net_conn, the_deadline_of_a_context_ends_a_read) {
  auto const [bounded, cancel] = context::with_timeout(ctx, 1ms);
  std::byte one[1];
  error const failed = near().read(bounded, one).error();
  EXPECT_TRUE(errors::is(failed, context::deadline_exceeded)) << failed.message();
  auto const* op = errors::as<op_error>(failed);
  ASSERT_NE(op, nullptr);
  EXPECT_TRUE(op->timeout());
}

TEST_P(net_conn, cancel_ends_a_write) {
  sync::wait_group wg;
  auto const [bounded, cancel] = context::with_cancel(ctx);
  error failed;
  auto const before = testing::parked();
  wg.go([&, &bounded = bounded] {
    std::string const more(1 << 20, 'x');
    while (!failed) failed = io::write(bounded, near(), more);
  });
  testing::wait_until_parked(before + 1);
  cancel();
  wg.wait();
  EXPECT_TRUE(errors::is(failed, context::canceled)) << failed.message();
}

TEST_P(net_conn, readers_take_turns) {
  std::vector<std::string> got(4);
  sync::wait_group wg;
  auto const before = testing::parked();
  for (std::string& text : got) wg.go([&] { text = read_text(near(), 2); });
  testing::wait_until_parked(before + 4);
  EXPECT_FALSE(io::write(ctx, far(), "aabbccdd"));
  wg.wait();
  std::sort(got.begin(), got.end());
  EXPECT_EQ(got, (std::vector<std::string>{"aa", "bb", "cc", "dd"}));
}

TEST_P(net_conn, a_turn_that_is_waited_for_may_be_canceled) {
  sync::wait_group wg;
  auto const [bounded, cancel] = context::with_cancel(ctx);
  error failed;
  std::string got;
  auto const before = testing::parked();
  wg.go([&] { got = read_text(near()); });
  testing::wait_until_parked(before + 1);
  wg.go([&, &bounded = bounded] {
    std::byte one[1];
    failed = near().read(bounded, one).error();
  });
  testing::wait_until_parked(before + 2);
  cancel();
  testing::wait_until_parked(before + 1);
  EXPECT_FALSE(io::write(ctx, far(), "for the first"));
  wg.wait();
  EXPECT_TRUE(errors::is(failed, context::canceled)) << failed.message();
  EXPECT_EQ(got, "for the first");
}

TEST_P(net_conn, wait_readable_takes_nothing) {
  EXPECT_FALSE(io::write(ctx, near(), "abc"));
  EXPECT_FALSE(far().wait_readable(ctx));
  EXPECT_FALSE(far().wait_readable(ctx));
  EXPECT_EQ(read_text(far()), "abc");
}

TEST_P(net_conn, wait_readable_does_not_return_for_bytes_that_were_read) {
  for (int round = 0; round < 20; ++round) {
    EXPECT_FALSE(io::write(ctx, near(), "one message"));
    if (round % 2 == 0) {
      EXPECT_FALSE(far().wait_readable(ctx));
    }
    EXPECT_EQ(read_text(far()), "one message");
    sync::wait_group wg;
    internal::atomic<bool> woke{false};
    auto const before = testing::parked();
    wg.go([&] {
      EXPECT_FALSE(far().wait_readable(ctx));
      woke = true;
    });
    testing::wait_until_parked(before + 1);
    EXPECT_FALSE(woke);
    EXPECT_FALSE(io::write(ctx, near(), "next"));
    wg.wait();
    EXPECT_EQ(read_text(far()), "next");
  }
}

TEST_P(net_conn, wait_readable_returns_at_the_end) {
  EXPECT_FALSE(near().close_write());
  EXPECT_FALSE(far().wait_readable(ctx));
  EXPECT_EQ(read_text(far()), "");
  EXPECT_FALSE(far().wait_readable(ctx));
}

TEST_P(net_conn, a_write_to_a_peer_that_has_gone_fails_without_a_signal) {
  EXPECT_FALSE(far().close());
  error failed;
  std::string const more(64 << 10, 'x');
  while (!failed) failed = io::write(ctx, near(), more);
  bool const broken = errors::is(failed, errors::from_errno(EPIPE)) ||
                      errors::is(failed, errors::from_errno(ECONNRESET));
  EXPECT_TRUE(broken) << failed.message();
  EXPECT_TRUE(failed.message().starts_with("write to ")) << failed.message();
}

TEST_P(net_conn, an_empty_write_sends_nothing) {
  EXPECT_FALSE(near().write(ctx, {}));
  EXPECT_FALSE(io::write(ctx, near(), "x"));
  EXPECT_EQ(read_text(far()), "x");
}

TEST_P(net_conn, a_read_into_nothing_is_a_bug) {
  EXPECT_DEATH(static_cast<void>(near().read(ctx, {})), "read into no bytes");
}

TEST_P(net_conn, sockets_have_a_descriptor) {
  EXPECT_EQ(near().native_handle() >= 0, is_socket());
}

TEST(net_tcp, a_reset_is_an_error_not_the_end) {
  auto pair = connect_pair("tcp");
  linger const hard{1, 0};
  ASSERT_EQ(::setsockopt(pair.near->native_handle(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard), 0);
  error failed;
  sync::wait_group wg;
  auto const before = testing::parked();
  wg.go([&] {
    std::byte one[1];
    failed = pair.far->read(ctx, one).error();
  });
  testing::wait_until_parked(before + 1);
  std::string const peer = pair.far->remote_addr().text();
  EXPECT_FALSE(pair.near->close());
  wg.wait();
  EXPECT_EQ(failed.message(), fmt::format("read from {}: connection reset by peer", peer));
}

TEST(net_tcp, a_connection_has_no_delay_and_keep_alive_probes) {
  auto pair = connect_pair("tcp");
  for (conn* const c : {pair.near.get(), pair.far.get()}) {
    for (auto const& [level, option] : {std::pair<int, int>{IPPROTO_TCP, TCP_NODELAY},
                                        std::pair<int, int>{SOL_SOCKET, SO_KEEPALIVE}}) {
      int value = 0;
      socklen_t size = sizeof value;
      ASSERT_EQ(::getsockopt(c->native_handle(), level, option, &value, &size), 0);
      EXPECT_EQ(value, 1);
    }
  }
}

// A unix socket ends a read where a descriptor was passed, with more bytes behind it.
TEST(net_unix, a_short_read_is_not_the_end_of_what_is_there) {
  auto pair = connect_pair("unix");
  EXPECT_FALSE(io::write(ctx, *pair.near, "a"));
  char control[CMSG_SPACE(sizeof(int))] = {};
  iovec part{const_cast<char*>("b"), 1};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  int const passed = STDERR_FILENO;
  std::memcpy(CMSG_DATA(header), &passed, sizeof passed);
  ASSERT_EQ(::sendmsg(pair.near->native_handle(), &message, 0), 1);
  EXPECT_FALSE(io::write(ctx, *pair.near, "c"));
  std::string got;
  while (got.size() < 3) got += read_text(*pair.far);
  EXPECT_EQ(got, "abc");
}

}  // namespace
}  // namespace vole::net
