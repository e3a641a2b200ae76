// SPDX-License-Identifier: Apache-2.0
#include "vole/io.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <limits>
#include <string>
#include <vector>

namespace vole::io {
namespace {

context const ctx = context::background();
errors::sentinel const constinit broken{"stream is broken"};

// A reader that hands out its text in steps of a few bytes, then ends or fails.
class slow_reader final : public reader {
 public:
  slow_reader(std::string text, std::size_t step, error last = nullptr)
      : text_(std::move(text)), step_(step), last_(std::move(last)) {}

  result<std::size_t> read(context const&, bytes_span to) override {
    EXPECT_FALSE(to.empty());
    ++calls;
    if (at_ == text_.size()) {
      if (last_) return last_;
      return std::size_t{0};
    }
    std::size_t const n = std::min({step_, to.size(), text_.size() - at_});
    std::copy_n(bytes(text_).begin() + static_cast<std::ptrdiff_t>(at_), n, to.begin());
    at_ += n;
    return n;
  }

  int calls = 0;

 private:
  std::string text_;
  std::size_t step_;
  error last_;
  std::size_t at_ = 0;
};

class broken_writer final : public writer {
 public:
  error write(context const&, bytes_view) override { return broken; }
};

TEST(io_read_all, returns_the_whole_stream) {
  std::string const text(100'000, 'x');
  slow_reader from(text, 777);
  auto const all = read_all(ctx, from, 100'000);
  ASSERT_TRUE(all) << all.error().message();
  EXPECT_EQ(*all, text);
}

TEST(io_read_all, of_an_empty_stream_is_empty) {
  slow_reader from("", 1);
  auto const all = read_all(ctx, from, 0);
  ASSERT_TRUE(all);
  EXPECT_EQ(*all, "");
}

TEST(io_read_all, refuses_one_byte_more_than_the_limit) {
  slow_reader from("12345", 2);
  auto const all = read_all(ctx, from, 4);
  ASSERT_FALSE(all);
  auto const* over = errors::as<limit_error>(all.error());
  ASSERT_NE(over, nullptr);
  EXPECT_EQ(over->limit_bytes, 4U);
  EXPECT_EQ(all.error().message(), "longer than the limit of 4 bytes");
}

TEST(io_read_all, takes_the_largest_limit) {
  slow_reader from("12345", 2);
  auto const all = read_all(ctx, from, std::numeric_limits<std::uint64_t>::max());
  ASSERT_TRUE(all);
  EXPECT_EQ(*all, "12345");
}

TEST(io_read_all, passes_the_error_on) {
  slow_reader from("123", 2, broken);
  auto const all = read_all(ctx, from, 100);
  ASSERT_FALSE(all);
  EXPECT_TRUE(errors::is(all.error(), broken));
}

TEST(io_read_full, fills_and_reports_an_early_end) {
  slow_reader from("123456", 2);
  std::byte four[4];
  EXPECT_FALSE(read_full(ctx, from, four));
  EXPECT_EQ(text(four), "1234");
  EXPECT_TRUE(errors::is(read_full(ctx, from, four), unexpected_end));
}

TEST(io_copy, moves_all_and_counts) {
  std::string const content(70'000, 'y');
  slow_reader from(content, 50'000);
  buffer to;
  auto const n = copy(ctx, to, from);
  ASSERT_TRUE(n);
  EXPECT_EQ(*n, content.size());
  EXPECT_EQ(to.text(), content);
}

TEST(io_copy, stops_at_the_error_of_either_side) {
  slow_reader whole("abc", 1);
  broken_writer refuses;
  auto const written = copy(ctx, refuses, whole);
  ASSERT_FALSE(written);
  EXPECT_TRUE(errors::is(written.error(), broken));
  slow_reader cut("abc", 1, broken);
  auto const read = copy(ctx, discard(), cut);
  ASSERT_FALSE(read);
  EXPECT_TRUE(errors::is(read.error(), broken));
}

TEST(io_limit_reader, ends_at_the_limit_and_leaves_the_rest) {
  slow_reader from("hello world", 3);
  limit_reader first(from, 5);
  EXPECT_EQ(*read_all(ctx, first, 100), "hello");
  EXPECT_EQ(first.left(), 0U);
  EXPECT_EQ(*read_all(ctx, from, 100), " world");
}

TEST(io_limit_reader, can_fail_past_the_limit_but_not_at_it) {
  slow_reader exact("hello", 3);
  limit_reader fits(exact, 5, past_limit::fail);
  EXPECT_EQ(*read_all(ctx, fits, 100), "hello");
  slow_reader more("hello!", 3);
  limit_reader over(more, 5, past_limit::fail);
  auto const all = read_all(ctx, over, 100);
  ASSERT_FALSE(all);
  EXPECT_NE(errors::as<limit_error>(all.error()), nullptr);
}

TEST(io_buffer, is_a_queue_of_bytes) {
  buffer b;
  EXPECT_TRUE(b.empty());
  b.append("hello ");
  b.append("world");
  EXPECT_EQ(b.text(), "hello world");
  b.consume(6);
  EXPECT_EQ(b.text(), "world");
  b.append("!");
  EXPECT_EQ(b.size(), 6U);
  std::byte to[4];
  EXPECT_EQ(*b.read(ctx, to), 4U);
  EXPECT_EQ(text(to), "worl");
  EXPECT_EQ(b.take(), "d!");
  EXPECT_TRUE(b.empty());
  EXPECT_EQ(*b.read(ctx, to), 0U);
}

TEST(io_buffer, does_not_grow_when_it_is_read_as_fast_as_written) {
  buffer b;
  std::string expected;
  std::string got;
  for (int i = 0; i < 10'000; ++i) {
    std::string const line = fmt::format("line {}\n", i);
    b.append(line);
    expected += line;
    std::byte to[9];
    while (b.size() > 20) got += text(bytes_span(to, *b.read(ctx, to)));
  }
  got += b.take();
  EXPECT_EQ(got, expected);
}

TEST(io_buffer_death, consuming_more_than_there_is_is_a_bug) {
  buffer b;
  b.append("abc");
  EXPECT_DEATH(b.consume(4), "consume 4 of 3 bytes");
}

TEST(io_writers, multi_writer_gives_all_the_same_bytes) {
  buffer a;
  buffer b;
  multi_writer both({&a, &b});
  EXPECT_FALSE(write(ctx, both, "hello"));
  bytes_view const parts[] = {bytes(" wor"), {}, bytes("ld")};
  EXPECT_FALSE(both.writev(ctx, parts));
  EXPECT_EQ(a.text(), "hello world");
  EXPECT_EQ(b.text(), "hello world");
}

TEST(io_writers, multi_writer_stops_at_the_first_error) {
  buffer before;
  broken_writer refuses;
  buffer after;
  multi_writer all({&before, &refuses, &after});
  EXPECT_TRUE(errors::is(write(ctx, all, "x"), broken));
  EXPECT_EQ(before.text(), "x");
  EXPECT_EQ(after.text(), "");
}

TEST(io_readers, tee_reader_shows_what_was_read) {
  slow_reader from("hello world", 4);
  buffer seen;
  tee_reader tee(from, seen);
  EXPECT_EQ(*read_all(ctx, tee, 100), "hello world");
  EXPECT_EQ(seen.text(), "hello world");
}

TEST(io_readers, bytes_reader_reads_what_it_views) {
  bytes_reader from("abc");
  std::byte two[2];
  EXPECT_EQ(*from.read(ctx, two), 2U);
  EXPECT_EQ(text(from.left()), "c");
  EXPECT_EQ(*from.read(ctx, two), 1U);
  EXPECT_EQ(*from.read(ctx, two), 0U);
}

}  // namespace
}  // namespace vole::io
