// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "vole/go.h"
#include "vole/io.h"
#include "vole/sync.h"
#include "vole/testing.h"

namespace vole::io {
namespace {

using namespace std::chrono_literals;

context const ctx = context::background();
errors::sentinel const constinit broken{"source is broken"};

TEST(io_pipe, carries_bytes_in_order) {
  auto [in, out] = pipe(8);
  sync::wait_group wg;
  std::string const content = "more bytes than the pipe has room for";
  wg.go([&out, &content] {
    EXPECT_FALSE(write(ctx, *out, content));
    EXPECT_FALSE(out->close());
  });
  EXPECT_EQ(*read_all(ctx, *in, 1000), content);
  wg.wait();
}

TEST(io_pipe, a_reader_waits_for_the_writer) {
  auto [in, out] = pipe();
  sync::wait_group wg;
  std::string got;
  wg.go([&in, &got] { got = *read_all(ctx, *in, 1000); });
  testing::wait_until_parked(1);
  EXPECT_FALSE(write(ctx, *out, "late"));
  out.reset();
  wg.wait();
  EXPECT_EQ(got, "late");
}

TEST(io_pipe, a_writer_fails_when_the_reader_has_gone) {
  auto [in, out] = pipe(4);
  sync::wait_group wg;
  error failed;
  wg.go([&out, &failed] { failed = write(ctx, *out, "does not fit"); });
  testing::wait_until_parked(1);
  in.reset();
  wg.wait();
  EXPECT_TRUE(errors::is(failed, closed_pipe));
  EXPECT_TRUE(errors::is(write(ctx, *out, "x"), closed_pipe));
}

TEST(io_pipe, close_with_gives_the_other_end_the_reason) {
  auto [in, out] = pipe();
  EXPECT_FALSE(write(ctx, *out, "part"));
  out->close_with(broken);
  auto const all = read_all(ctx, *in, 100);
  ASSERT_FALSE(all);
  EXPECT_TRUE(errors::is(all.error(), broken));
  EXPECT_TRUE(errors::is(write(ctx, *out, "x"), closed_pipe));

  auto [other_in, other_out] = pipe();
  other_in->close_with(broken);
  EXPECT_TRUE(errors::is(write(ctx, *other_out, "x"), broken));
}

TEST(io_pipe, a_canceled_read_eats_nothing) {
  auto [in, out] = pipe();
  std::byte one[1];
  {
    auto const [bounded, cancel] = context::with_timeout(ctx, 1ms);
    auto const got = in->read(bounded, one);
    ASSERT_FALSE(got);
    EXPECT_TRUE(errors::is(got.error(), context::deadline_exceeded));
  }
  auto const [ended, cancel] = context::with_cancel(ctx);
  cancel();
  EXPECT_FALSE(write(ctx, *out, "x"));
  auto const refused = in->read(ended, one);
  ASSERT_FALSE(refused);
  EXPECT_TRUE(errors::is(refused.error(), context::canceled));
  EXPECT_EQ(*in->read(ctx, one), 1U);
}

TEST(io_pipe, cancel_ends_a_write_that_waits) {
  auto [in, out] = pipe(4);
  sync::wait_group wg;
  auto const [bounded, cancel] = context::with_cancel(ctx);
  error failed;
  wg.go([&failed, &out, &bounded] { failed = write(bounded, *out, "does not fit"); });
  testing::wait_until_parked(1);
  cancel();
  wg.wait();
  EXPECT_TRUE(errors::is(failed, context::canceled));
}

TEST(io_pipe, writes_of_many_goroutines_are_not_mixed) {
  auto [in, out] = pipe(7);
  constexpr int writers = 8;
  constexpr int lines = 50;
  sync::wait_group wg;
  for (int w = 0; w < writers; ++w) {
    wg.go([&out, w] {
      std::string const line = std::string(20, static_cast<char>('a' + w)) + "\n";
      for (int i = 0; i < lines; ++i) EXPECT_FALSE(write(ctx, *out, line));
    });
  }
  sync::wait_group closing;
  closing.go([&wg, &out] {
    wg.wait();
    EXPECT_FALSE(out->close());
  });
  buffered_reader lines_in(*in);
  std::vector<int> seen(writers);
  for (int i = 0; i < writers * lines; ++i) {
    auto const line = lines_in.read_line(ctx);
    ASSERT_TRUE(line);
    ASSERT_EQ(line->size(), 20U);
    EXPECT_EQ(line->find_first_not_of((*line)[0]), std::string_view::npos);
    ++seen[static_cast<std::size_t>((*line)[0] - 'a')];
  }
  EXPECT_EQ(seen, std::vector<int>(writers, lines));
  EXPECT_EQ(*lines_in.fill(ctx), 0U);
  closing.wait();
}

}  // namespace
}  // namespace vole::io
