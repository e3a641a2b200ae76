// SPDX-License-Identifier: Apache-2.0
#include "http/chunked.h"

#include <gtest/gtest.h>
#include <string>
#include <string_view>

namespace vole::http::internal {
namespace {

using namespace std::string_literals;

struct decoded {
  bool done = false;
  bool failed = false;
  std::string data;
  std::string trailers;  // "name=value;"
  std::string rest;      // what stands behind the body
};

// decode gives the decoder `step` bytes more at a time.
decoded decode(std::string_view text, std::size_t step) {
  chunk_decoder decoder;
  decoded out;
  std::string pending;
  while (true) {
    auto const piece = decoder.next(pending);
    out.data += piece.what == chunk_decoder::step::data ? piece.data : std::string_view();
    if (piece.what == chunk_decoder::step::done) {
      for (auto const& field : decoder.trailers()) {
        out.trailers += std::string(field.name.in(piece.data)) + "=";
        out.trailers += std::string(field.value.in(piece.data)) + ";";
      }
    }
    pending.erase(0, piece.consumed);
    if (piece.what == chunk_decoder::step::done || piece.what == chunk_decoder::step::failed) {
      out.done = piece.what == chunk_decoder::step::done;
      out.failed = !out.done;
      out.rest = pending + std::string(text);
      return out;
    }
    if (piece.what == chunk_decoder::step::data) continue;
    if (text.empty()) return out;
    pending += text.substr(0, step);
    text.remove_prefix(std::min(step, text.size()));
  }
}

TEST(http_chunked, decodes_however_the_bytes_are_cut) {
  std::string const text =
      "5\r\nhello\r\n1;ext=\"v\"\r\n,\r\n00006\r\n world\r\nA\r\n0123456789\r\n"
      "0\r\nX-Sum: 17\r\nX-Two:\r\n\r\nGET /";
  for (std::size_t step = 1; step <= text.size(); ++step) {
    decoded const d = decode(text, step);
    ASSERT_TRUE(d.done) << step;
    EXPECT_EQ(d.data, "hello, world0123456789") << step;
    EXPECT_EQ(d.trailers, "X-Sum=17;X-Two=;") << step;
    EXPECT_EQ(d.rest, "GET /") << step;
  }
}

TEST(http_chunked, refuses_every_doubtful_size_and_line_end) {
  std::string const vectors[] = {
      "\r\nhello",
      ";\r\n",
      "0x5\r\nhello\r\n0\r\n\r\n",
      "+5\r\nhello\r\n0\r\n\r\n",
      "-1\r\n",
      "5_0\r\n",
      " 5\r\nhello\r\n0\r\n\r\n",
      "5 \r\nhello\r\n0\r\n\r\n",
      "5\t;x\r\nhello\r\n",
      "5\nhello\r\n0\r\n\r\n",
      "5\rhello\r\n0\r\n\r\n",
      "5\r\nhello\n0\r\n\r\n",
      "5\r\nhello0\r\n\r\n",
      "5\r\nhello\r0\r\n\r\n",
      "5\r\nhelloo\r\n0\r\n\r\n",
      "g\r\n",
      "\xef\xbc\x95\r\n",
      "00000000000000001\r\na\r\n",
      "8000000000000000\r\n",
      "ffffffffffffffff\r\n",
      "5;a\rb\r\nhello\r\n0\r\n\r\n",
      "5;a\nb\r\nhello\r\n0\r\n\r\n",
      "5;a\0\r\nhello\r\n0\r\n\r\n"s,
      "5;a\nhello\r\n0\r\n\r\n",
      "0\r\nA : b\r\n\r\n",
      "0\r\nA: b\n\r\n",
      "0\r\n A: b\r\n\r\n",
      "0\r\nContent-Length: 5\r\n\r\n",
      "0\r\ntransfer-encoding: chunked\r\n\r\n",
      "0\r\nHost: a\r\n\r\n",
      "0\r\n\n",
      "0\r\n\rX",
      "0\n\r\n",
  };
  for (std::string const& text : vectors) {
    EXPECT_TRUE(decode(text, text.size()).failed) << testing::PrintToString(text);
    EXPECT_TRUE(decode(text, 1).failed) << testing::PrintToString(text);
  }
}

TEST(http_chunked, waits_where_the_body_is_cut) {
  std::string const text = "5\r\nhello\r\n0\r\n\r\n";
  for (std::size_t n = 0; n < text.size(); ++n) {
    decoded const d = decode(std::string_view(text).substr(0, n), 3);
    EXPECT_FALSE(d.done || d.failed) << n;
  }
}

TEST(http_chunked, bounds_extensions_over_a_whole_body) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "1;" + std::string(60, 'x') + "\r\na\r\n";
  EXPECT_TRUE(decode(text, 64).failed);
}

TEST(http_chunked, bounds_trailers_as_it_bounds_fields) {
  std::string text = "0\r\n";
  for (int i = 0; i < 101; ++i) text += "A: b\r\n";
  EXPECT_TRUE(decode(text, 64).failed);
}

TEST(http_chunked, data_can_be_read_past_the_decoder) {
  chunk_decoder decoder;
  auto piece = decoder.next("64\r\nab");
  EXPECT_EQ(piece.data, "ab");
  EXPECT_EQ(decoder.data_left(), 98u);
  decoder.skip_data(98);
  EXPECT_EQ(decoder.data_left(), 0u);
  piece = decoder.next("\r\n0\r\n\r\n");
  EXPECT_EQ(piece.what, chunk_decoder::step::done);
}

TEST(http_chunked, encodes_sizes) {
  char text[chunk_head_bytes_max];
  char* const end = text + sizeof text;
  EXPECT_EQ(std::string(chunk_head(end, 0), end), "0\r\n");
  EXPECT_EQ(std::string(chunk_head(end, 0xab12), end), "ab12\r\n");
  EXPECT_EQ(std::string(chunk_head(end, UINT64_MAX), end), "ffffffffffffffff\r\n");
}

}  // namespace
}  // namespace vole::http::internal
