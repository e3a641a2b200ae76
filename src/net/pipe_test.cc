// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <string>

#include "vole/testing.h"

#include "net/conn_pair.h"

namespace vole::net {
namespace {

using namespace std::chrono_literals;

context const ctx = context::background();

TEST(net_pipe_listener, joins_dialers_and_accepters) {
  pipe_listener l;
  sync::wait_group wg;
  wg.go([&] {
    auto const far = l.accept(ctx);
    ASSERT_TRUE(far);
    EXPECT_EQ(read_text(**far), "hello");
    EXPECT_FALSE(io::write(ctx, **far, "world"));
  });
  auto const near = l.dial(ctx);
  ASSERT_TRUE(near);
  EXPECT_FALSE(io::write(ctx, **near, "hello"));
  EXPECT_EQ(read_text(**near), "world");
  wg.wait();
  EXPECT_EQ(l.addr().text(), "pipe");
}

TEST(net_pipe_listener, a_dial_that_nobody_accepts_ends_with_its_context) {
  pipe_listener l;
  auto const [bounded, cancel] = context::with_timeout(ctx, 1ms);
  EXPECT_EQ(l.dial(bounded).error().message(), "connect to pipe: context deadline exceeded");
  EXPECT_EQ(l.accept(bounded).error().message(), "accept on pipe: context deadline exceeded");
}

TEST(net_pipe_listener, close_ends_all_who_wait) {
  pipe_listener l;
  sync::wait_group wg;
  auto const before = testing::parked();
  for (int i = 0; i < 2; ++i) {
    wg.go([&] { EXPECT_TRUE(errors::is(l.accept(ctx).error(), closed)); });
  }
  testing::wait_until_parked(before + 2);
  EXPECT_FALSE(l.close());
  EXPECT_FALSE(l.close());
  wg.wait();
  EXPECT_TRUE(errors::is(l.accept(ctx).error(), closed));
  EXPECT_EQ(l.dial(ctx).error().message(), "connect to pipe: connection refused");
}

TEST(net_pipe, holds_what_is_written_until_it_is_read) {
  auto const [near, far] = pipe(8);
  EXPECT_FALSE(io::write(ctx, *near, "12345678"));
  near->set_write_deadline(internal::now());
  EXPECT_TRUE(errors::is(io::write(ctx, *near, "9"), timed_out));
  EXPECT_EQ(read_text(*far), "12345678");
}

}  // namespace
}  // namespace vole::net
