// SPDX-License-Identifier: Apache-2.0
#include "http/buffers.h"

#include <algorithm>
#include <cstring>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "vole/internal/text_arena.h"

namespace vole::http::internal {
namespace {

void fill(input_buffer& in, std::string_view text) {
  auto const room = in.room(text.size());
  ASSERT_GE(room.size(), text.size());
  std::memcpy(room.data(), text.data(), text.size());
  in.commit(text.size());
}

TEST(http_input_buffer, gives_back_in_order_what_was_put_in) {
  input_buffer in;
  std::string want;
  std::string got;
  for (int i = 0; i < 5000; ++i) {
    std::string const text = std::to_string(i) + std::string(static_cast<std::size_t>(i % 97), 'x');
    fill(in, text);
    want += text;
    std::size_t const take = in.size() / 2;
    got += in.view().substr(0, take);
    in.consume(take);
  }
  got += in.view();
  EXPECT_EQ(got, want);
}

TEST(http_input_buffer, a_pinned_head_stays_in_place_while_a_long_body_passes) {
  for (std::size_t const head_bytes : {10, 4000, 4090, 4096, 5000, 70'000}) {
    input_buffer in;
    std::string const head(head_bytes, 'h');
    fill(in, head + "first");
    std::string_view const pinned = in.view().substr(0, head.size());
    in.consume_pinned(head.size());
    std::size_t room_max = 0;
    for (int i = 0; i < 10'000; ++i) {
      fill(in, std::string(100, static_cast<char>('a' + i % 26)));
      room_max = std::max(room_max, in.room(1).size());
      in.consume(in.size() - 3);
    }
    EXPECT_EQ(pinned, head);
    EXPECT_LE(room_max, 300'000u) << "memory follows what is pinned, not what has passed";
    in.unpin();
    EXPECT_EQ(in.size(), 3u);
  }
}

TEST(http_input_buffer, reset_gives_large_memory_up) {
  input_buffer in;
  fill(in, std::string(100'000, 'x'));
  in.reset();
  EXPECT_TRUE(in.empty());
  EXPECT_EQ(in.room(1).size(), input_buffer::first_bytes);
}

TEST(http_output_buffer, grows_and_keeps_its_content) {
  output_buffer out;
  std::string want;
  for (int i = 0; i < 1000; ++i) {
    std::string const text(static_cast<std::size_t>(i), 'a');
    out.reserve(text.size());
    out.append(text);
    want += text;
  }
  EXPECT_EQ(out.view(), want);
  out.reset();
  EXPECT_EQ(out.size(), 0u);
}

TEST(text_arena, views_stay_until_clear) {
  vole::internal::text_arena arena;
  std::vector<std::string_view> views;
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < 300; ++i) {
    texts.push_back(std::string(i * 7 % 2000, static_cast<char>('a' + i % 26)));
    views.push_back(arena.copy(texts.back()));
  }
  for (std::size_t i = 0; i < views.size(); ++i) EXPECT_EQ(views[i], texts[i]);
  auto moved = std::move(arena);
  EXPECT_EQ(views[9], texts[9]);
  moved.clear();
  EXPECT_EQ(moved.copy("again"), "again");
  EXPECT_EQ(arena.copy("the old one works too"), "the old one works too");
}

}  // namespace
}  // namespace vole::http::internal
