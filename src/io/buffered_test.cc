// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "vole/io.h"

namespace vole::io {
namespace {

context const ctx = context::background();

// A writer that keeps each call apart.
class recording_writer final : public writer {
 public:
  error write(context const&, bytes_view from) override {
    calls.emplace_back(text(from));
    return nullptr;
  }
  error writev(context const&, std::span<bytes_view const> parts) override {
    std::string all;
    for (bytes_view const part : parts) all += text(part);
    calls.push_back(std::move(all));
    return nullptr;
  }

  std::vector<std::string> calls;
};

TEST(io_buffered_reader, shows_bytes_without_copying_and_consumes_them) {
  bytes_reader from("GET / HTTP/1.1\r\n\r\n");
  buffered_reader in(from, 64);
  EXPECT_EQ(in.buffered_text(), "");
  EXPECT_EQ(*in.fill(ctx), 18U);
  EXPECT_EQ(in.buffered_text(), "GET / HTTP/1.1\r\n\r\n");
  std::byte const* const at = in.buffered().data();
  in.consume(4);
  EXPECT_EQ(in.buffered().data(), at + 4);
  EXPECT_EQ(in.buffered_text(), "/ HTTP/1.1\r\n\r\n");
  in.consume(14);
  EXPECT_EQ(*in.fill(ctx), 0U);
}

TEST(io_buffered_reader, moves_what_is_left_to_make_room) {
  bytes_reader from("abcdefghij");
  buffered_reader in(from, 4);
  EXPECT_EQ(*in.fill(ctx), 4U);
  in.consume(3);
  EXPECT_EQ(*in.fill(ctx), 3U);
  EXPECT_EQ(in.buffered_text(), "defg");
  auto const full = in.fill(ctx);
  ASSERT_FALSE(full);
  EXPECT_TRUE(errors::is(full.error(), buffer_full));
}

TEST(io_buffered_reader, reserve_keeps_what_is_buffered) {
  bytes_reader from("abcdefghij");
  buffered_reader in(from, 4);
  ASSERT_TRUE(in.fill(ctx));
  in.consume(1);
  in.reserve(8);
  EXPECT_EQ(in.capacity(), 8U);
  EXPECT_EQ(in.buffered_text(), "bcd");
  EXPECT_EQ(*in.fill(ctx), 5U);
  EXPECT_EQ(in.buffered_text(), "bcdefghi");
}

TEST(io_buffered_reader, release_only_when_nothing_is_buffered) {
  bytes_reader from("abcdefghij");
  buffered_reader in(from, 4);
  EXPECT_TRUE(in.release());
  in.reserve(6);
  ASSERT_TRUE(in.fill(ctx));
  EXPECT_FALSE(in.release());
  in.consume(6);
  EXPECT_TRUE(in.release());
  EXPECT_EQ(in.capacity(), 4U);
  EXPECT_EQ(*in.fill(ctx), 4U);
  EXPECT_EQ(in.buffered_text(), "ghij");
}

TEST(io_buffered_reader, read_takes_the_buffered_bytes_first_and_passes_large_reads_by) {
  std::string const text(100, 'x');
  bytes_reader from(text);
  buffered_reader in(from, 16);
  std::byte small[4];
  EXPECT_EQ(*in.read(ctx, small), 4U);
  EXPECT_EQ(in.buffered().size(), 12U);
  std::byte large[64];
  EXPECT_EQ(*in.read(ctx, large), 12U);
  EXPECT_EQ(*in.read(ctx, large), 64U);
  EXPECT_EQ(in.buffered().size(), 0U);
}

TEST(io_buffered_reader, peek_waits_for_as_many_as_asked) {
  bytes_reader from("abcdef");
  buffered_reader in(from, 4);
  EXPECT_EQ(text(*in.peek(ctx, 3)), "abc");
  in.consume(3);
  EXPECT_EQ(text(*in.peek(ctx, 4)), "def");
  auto const over = in.peek(ctx, 5);
  ASSERT_FALSE(over);
  EXPECT_TRUE(errors::is(over.error(), buffer_full));
}

TEST(io_buffered_reader, read_line_takes_both_line_ends) {
  bytes_reader from("one\r\ntwo\n\nlast");
  buffered_reader in(from, 8);
  EXPECT_EQ(*in.read_line(ctx), "one");
  EXPECT_EQ(*in.read_line(ctx), "two");
  EXPECT_EQ(*in.read_line(ctx), "");
  auto const cut = in.read_line(ctx);
  ASSERT_FALSE(cut);
  EXPECT_TRUE(errors::is(cut.error(), unexpected_end));
}

TEST(io_buffered_reader, a_line_longer_than_the_buffer_is_an_error) {
  bytes_reader from("a line of more than eight bytes\n");
  buffered_reader in(from, 8);
  auto const line = in.read_line(ctx);
  ASSERT_FALSE(line);
  EXPECT_TRUE(errors::is(line.error(), buffer_full));
}

TEST(io_buffered_reader_death, consuming_more_than_is_buffered_is_a_bug) {
  bytes_reader from("abc");
  buffered_reader in(from, 8);
  ASSERT_TRUE(in.fill(ctx));
  EXPECT_DEATH(in.consume(4), "consume 4 of 3 bytes");
}

TEST(io_buffered_writer, gathers_small_writes_until_flush) {
  recording_writer to;
  buffered_writer out(to, 16);
  EXPECT_FALSE(write(ctx, out, "hello "));
  EXPECT_FALSE(write(ctx, out, "world"));
  EXPECT_TRUE(to.calls.empty());
  EXPECT_FALSE(out.flush(ctx));
  EXPECT_EQ(to.calls, std::vector<std::string>{"hello world"});
  EXPECT_FALSE(out.flush(ctx));
  EXPECT_EQ(to.calls.size(), 1U);
}

TEST(io_buffered_writer, what_does_not_fit_goes_out_in_one_call_with_what_is_buffered) {
  recording_writer to;
  buffered_writer out(to, 8);
  EXPECT_FALSE(write(ctx, out, "head "));
  bytes_view const parts[] = {bytes("a body"), bytes(" of many"), bytes(" parts"), bytes(" is"),
                              bytes(" sent")};
  EXPECT_FALSE(out.writev(ctx, parts));
  EXPECT_EQ(to.calls, std::vector<std::string>{"head a body of many parts is sent"});
  EXPECT_TRUE(out.buffered().empty());
}

TEST(io_buffered_writer, room_may_be_formatted_into) {
  recording_writer to;
  buffered_writer out(to, 32);
  bytes_span const room = out.room();
  ASSERT_EQ(room.size(), 32U);
  auto* const at = reinterpret_cast<char*>(room.data());
  out.commit(static_cast<std::size_t>(fmt::format_to(at, "{} {}", 12, "ab") - at));
  EXPECT_EQ(text(out.buffered()), "12 ab");
  EXPECT_FALSE(out.release());
  EXPECT_FALSE(out.flush(ctx));
  EXPECT_TRUE(out.release());
  EXPECT_EQ(to.calls, std::vector<std::string>{"12 ab"});
}

TEST(io_buffered_writer, clear_drops_what_was_not_sent) {
  recording_writer to;
  buffered_writer out(to, 32);
  EXPECT_FALSE(write(ctx, out, "gone"));
  out.clear();
  EXPECT_FALSE(out.flush(ctx));
  EXPECT_TRUE(to.calls.empty());
}

}  // namespace
}  // namespace vole::io
