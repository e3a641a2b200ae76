// SPDX-License-Identifier: Apache-2.0
// Deadlines of connections, and watches for peers that go away, over each kind of connection.
#include <gtest/gtest.h>
#include <string>

#include "vole/chan.h"
#include "vole/runtime.h"
#include "vole/testing.h"

#include "net/conn_pair.h"

namespace vole::net {
namespace {

using namespace std::chrono_literals;

context const ctx = context::background();

class net_deadline : public ::testing::TestWithParam<char const*> {
 protected:
  net_deadline() : pair_(connect_pair(GetParam())) {}
  conn& near() { return *pair_.near; }
  conn& far() { return *pair_.far; }

  conn_pair pair_;
};

using net_watch = net_deadline;

INSTANTIATE_TEST_SUITE_P(kinds, net_deadline, ::testing::Values("tcp", "unix", "pipe"),
                         [](auto const& info) { return std::string(info.param); });
INSTANTIATE_TEST_SUITE_P(watches, net_watch, ::testing::Values("tcp", "unix", "pipe"),
                         [](auto const& info) { return std::string(info.param); });

TEST_P(net_deadline, ends_a_read) {
  near().set_read_deadline(internal::now() + 1ms);
  std::byte one[1];
  error const failed = near().read(ctx, one).error();
  EXPECT_TRUE(errors::is(failed, timed_out)) << failed.message();
  auto const* op = errors::as<op_error>(failed);
  ASSERT_NE(op, nullptr);
  EXPECT_TRUE(op->timeout());
  EXPECT_EQ(failed.message(),
            fmt::format("read from {}: i/o timeout", near().remote_addr().text()));
}

TEST_P(net_deadline, ends_a_write) {
  near().set_write_deadline(internal::now() + 10ms);
  std::string const more(1 << 20, 'x');
  error failed;
  while (!failed) failed = io::write(ctx, near(), more);
  EXPECT_TRUE(errors::is(failed, timed_out)) << failed.message();
  near().set_read_deadline(never);
  EXPECT_FALSE(io::write(ctx, far(), "reads are not meant"));
  EXPECT_EQ(read_text(near()), "reads are not meant");
}

TEST_P(net_deadline, once_passed_fails_even_where_bytes_are_there_until_it_is_moved) {
  EXPECT_FALSE(io::write(ctx, far(), "kept"));
  near().set_deadline(internal::now() - 1s);
  std::byte one[1];
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(errors::is(near().read(ctx, one).error(), timed_out));
    EXPECT_TRUE(errors::is(near().wait_readable(ctx), timed_out));
    EXPECT_TRUE(errors::is(near().write(ctx, one), timed_out));
  }
  near().set_deadline(internal::now() + 1h);
  EXPECT_EQ(read_text(near()), "kept");
  near().set_deadline(never);
  EXPECT_FALSE(io::write(ctx, near(), "x"));
}

TEST_P(net_deadline, moved_earlier_ends_a_read_that_waits) {
  near().set_read_deadline(internal::now() + 1h);
  error failed;
  sync::wait_group wg;
  auto const before = testing::parked();
  wg.go([&] {
    std::byte one[1];
    failed = near().read(ctx, one).error();
  });
  testing::wait_until_parked(before + 1);
  near().set_read_deadline(internal::now());
  wg.wait();
  EXPECT_TRUE(errors::is(failed, timed_out)) << failed.message();
}

TEST_P(net_deadline, moved_later_lets_a_read_that_waits_go_on) {
  time_point const first = internal::now() + 20ms;
  near().set_read_deadline(first);
  std::string got;
  sync::wait_group wg;
  auto const before = testing::parked();
  wg.go([&] { got = read_text(near()); });
  while (testing::parked() < before + 1 && internal::now() < first) runtime::yield();
  near().set_read_deadline(never);
  bool const moved_in_time = internal::now() < first;
  // A read of the other end, with the first deadline, tells when that has passed.
  far().set_read_deadline(first);
  EXPECT_TRUE(read_text(far()).ends_with("i/o timeout"));
  EXPECT_FALSE(io::write(ctx, far(), "later"));
  wg.wait();
  if (moved_in_time) {
    EXPECT_EQ(got, "later");
  }
}

TEST_P(net_deadline, may_be_moved_for_every_message) {
  for (int i = 0; i < 200; ++i) {
    near().set_read_deadline(internal::now() + 1h + i * 1ms);
    near().set_write_deadline(internal::now() + 1h - i * 1ms);
    EXPECT_FALSE(io::write(ctx, near(), "m"));
    EXPECT_EQ(read_text(far()), "m");
    EXPECT_FALSE(io::write(ctx, far(), "n"));
    EXPECT_EQ(read_text(near()), "n");
  }
}

TEST_P(net_deadline, the_context_is_named_when_it_ended_first) {
  near().set_read_deadline(internal::now() + 1h);
  auto const [bounded, cancel] = context::with_timeout(ctx, 1ms);
  std::byte one[1];
  EXPECT_TRUE(errors::is(near().read(bounded, one).error(), context::deadline_exceeded));
}

TEST_P(net_watch, wait_peer_closed_returns_when_the_peer_closes) {
  sync::wait_group wg;
  error outcome = closed;
  auto const before = testing::parked();
  wg.go([&] { outcome = near().wait_peer_closed(ctx); });
  testing::wait_until_parked(before + 1);
  EXPECT_FALSE(far().close());
  wg.wait();
  EXPECT_FALSE(outcome) << outcome.message();
}

TEST_P(net_watch, wait_peer_closed_sees_a_half_close_behind_unread_bytes) {
  EXPECT_FALSE(io::write(ctx, far(), "unread"));
  EXPECT_FALSE(far().close_write());
  EXPECT_FALSE(near().wait_peer_closed(ctx));
  EXPECT_EQ(read_text(near()), "unread");
}

TEST_P(net_watch, wait_peer_closed_runs_beside_a_read) {
  sync::wait_group wg;
  std::string got;
  error outcome = closed;
  auto const before = testing::parked();
  wg.go([&] { outcome = near().wait_peer_closed(ctx); });
  wg.go([&] { got = read_text(near()); });
  testing::wait_until_parked(before + 2);
  EXPECT_FALSE(io::write(ctx, far(), "body"));
  testing::wait_until_parked(before + 1);
  EXPECT_FALSE(far().close());
  wg.wait();
  EXPECT_EQ(got, "body");
  EXPECT_FALSE(outcome) << outcome.message();
}

TEST_P(net_watch, wait_peer_closed_ends_with_the_context) {
  auto const [bounded, cancel] = context::with_timeout(ctx, 1ms);
  error const outcome = near().wait_peer_closed(bounded);
  EXPECT_TRUE(errors::is(outcome, context::deadline_exceeded)) << outcome.message();
  EXPECT_FALSE(io::write(ctx, far(), "still there"));
  EXPECT_EQ(read_text(near()), "still there");
}

TEST_P(net_watch, a_watch_cancels_the_work_for_a_peer_that_leaves) {
  auto [working, cancel] = context::with_cancel(ctx);
  peer_watch const watch(near(), [&cancel = cancel] { cancel(); });
  sync::wait_group wg;
  error outcome;
  auto const before = testing::parked();
  wg.go([&outcome, &working = working] { outcome = time::sleep(working, 1h); });
  testing::wait_until_parked(before + 1);
  EXPECT_FALSE(far().close());
  wg.wait();
  EXPECT_TRUE(errors::is(outcome, context::canceled));
}

TEST_P(net_watch, a_watch_that_is_gone_runs_nothing) {
  bool ran = false;
  for (int i = 0; i < 100; ++i) {
    peer_watch const watch(near(), [&] { ran = true; });
  }
  EXPECT_FALSE(io::write(ctx, far(), "bytes are no end"));
  EXPECT_EQ(read_text(near()), "bytes are no end");
  EXPECT_FALSE(far().close());
  EXPECT_FALSE(near().wait_peer_closed(ctx));
  EXPECT_FALSE(ran);
}

TEST_P(net_watch, a_watch_on_a_peer_that_has_gone_runs_at_once) {
  EXPECT_FALSE(far().close());
  EXPECT_FALSE(near().wait_peer_closed(ctx));
  chan<unit> const ran(0);
  peer_watch const watch(near(), [&] { ran.close(); });
  EXPECT_FALSE(ran.recv().has_value());
}

TEST_P(net_watch, the_end_of_a_watch_waits_for_its_function) {
  chan<unit> const begun(0);
  chan<unit> const go_on(0);
  bool finished = false;
  sync::wait_group wg;
  EXPECT_FALSE(far().close());
  wg.go([&] {
    peer_watch const watch(near(), [&] {
      begun.close();
      go_on.recv();
      finished = true;
    });
    begun.recv();
  });
  begun.recv();
  go_on.close();
  wg.wait();
  EXPECT_TRUE(finished);
}

TEST_P(net_watch, closing_this_side_ends_the_watch_too) {
  chan<unit> const ran(0);
  peer_watch const watch(near(), [&] { ran.close(); });
  EXPECT_FALSE(near().close());
  EXPECT_FALSE(ran.recv().has_value());
}

}  // namespace
}  // namespace vole::net
