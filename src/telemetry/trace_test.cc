// SPDX-License-Identifier: Apache-2.0
#include "vole/trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>

namespace vole {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

TEST(trace, reads_a_traceparent_and_writes_it_back) {
  auto span = trace::parse_traceparent(good);
  ASSERT_TRUE(span) << span.error().message();
  EXPECT_EQ(span->trace.hex(), "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(span->span.hex(), "b7ad6b7169203331");
  EXPECT_TRUE(span->sampled());
  EXPECT_EQ(trace::format_traceparent(*span), good);
}

TEST(trace, sends_reserved_flags_as_zero) {
  auto span = trace::parse_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff");
  ASSERT_TRUE(span);
  EXPECT_EQ(span->flags, 0x01);
}

TEST(trace, refuses_what_is_not_a_traceparent_and_says_why) {
  struct {
    std::string_view text;
    std::string_view why;
  } const cases[] = {
      {"", "0 bytes"},
      {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331", "52 bytes, want at least 55"},
      {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-", "56 bytes, want 55"},
      {"00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "byte 4 is not a lower-case hex"},
      {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0x",
       "byte 54 is not a lower-case hex"},
      {"00-0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331-01", "byte 35 is not '-'"},
      {"00-00000000000000000000000000000000-b7ad6b7169203331-01", "trace id is all zero"},
      {"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", "parent id is all zero"},
      {"ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "version ff"},
      {"0g-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "byte 1 is not a lower-case hex"},
      {"01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01x", "byte 55 is not '-'"},
  };
  for (auto const& c : cases) {
    auto span = trace::parse_traceparent(c.text);
    ASSERT_FALSE(span) << c.text;
    EXPECT_THAT(span.error().message(), HasSubstr(c.why)) << c.text;
  }
}

TEST(trace, reads_a_later_version_as_version_00_with_more_behind_it) {
  auto span =
      trace::parse_traceparent("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03-what-else");
  ASSERT_TRUE(span) << span.error().message();
  EXPECT_EQ(trace::format_traceparent(*span), good);
}

TEST(trace, reads_a_tracestate_and_drops_blanks_and_empty_members) {
  auto state = trace::parse_tracestate("rojo=00f067aa0ba902b7 ,\t congo@t61=a b, ,,x/*-_9=~");
  ASSERT_TRUE(state) << state.error().message();
  EXPECT_EQ(*state, "rojo=00f067aa0ba902b7,congo@t61=a b,x/*-_9=~");
  EXPECT_EQ(*trace::parse_tracestate(""), "");
}

TEST(trace, refuses_a_malformed_tracestate_by_the_number_of_its_member) {
  for (std::string_view const text :
       {"a", "a=1,B=2", "a=1,=2", "a=1,b=", "a=1,b=2=3", "a=1,b=\x01", "a=1,b=\xc3\xa9", "a=1,a=2",
        "a=1,t@=2", "a=1,@s=2", "a=1,t@s@s=2", "a=1,9b=2", "a=1,t@abcdefghijklmno=2"}) {
    auto state = trace::parse_tracestate(text);
    ASSERT_FALSE(state) << text;
    EXPECT_THAT(state.error().message(), HasSubstr(text == "a" ? "member 1" : "member 2")) << text;
  }
  EXPECT_FALSE(trace::parse_tracestate(std::string(257, 'k') + "=v"));
  EXPECT_TRUE(trace::parse_tracestate(std::string(256, 'k') + "=v"));
  EXPECT_FALSE(trace::parse_tracestate("k=" + std::string(257, 'v')));
}

TEST(trace, allows_32_members_and_no_more) {
  std::string text;
  for (int i = 0; i < 32; ++i) text += fmt::format("{}k{}=v", i == 0 ? "" : ",", i);
  EXPECT_TRUE(trace::parse_tracestate(text));
  EXPECT_FALSE(trace::parse_tracestate(text + ",one=more"));
  auto state = trace::with_member(text, "one", "more");
  ASSERT_TRUE(state);
  EXPECT_TRUE(state->starts_with("one=more,k0=v,"));
  EXPECT_TRUE(state->ends_with(",k30=v"));
}

std::string member(std::string const& key, std::size_t bytes) {
  return key + "=" + std::string(bytes - key.size() - 1, 'v');
}

TEST(trace, passes_on_512_characters_of_tracestate_whole) {
  std::string text = member("a", 128);
  for (char const* key : {"b", "c", "d"}) text += "," + member(key, 127);
  ASSERT_EQ(text.size(), 512U);
  EXPECT_EQ(*trace::parse_tracestate(text), text);
  EXPECT_EQ(*trace::parse_tracestate(text + "v"), text.substr(0, 512 - 128));
}

TEST(trace, leaves_out_long_members_first_then_the_last_ones) {
  std::string const kept = member("a", 128) + "," + member("b", 128) + "," + member("c", 128);
  std::string const text = member("long", 129) + "," + kept;
  EXPECT_EQ(*trace::parse_tracestate(text), kept);
  // Two long ones: the last goes, the first may stay.
  EXPECT_EQ(*trace::parse_tracestate(member("one", 200) + "," + member("two", 200) + "," +
                                     member("a", 128)),
            member("one", 200) + "," + member("a", 128));
  std::string const short_ones = kept + "," + member("d", 120) + "," + member("e", 100);
  EXPECT_EQ(*trace::parse_tracestate(short_ones), kept + "," + member("d", 120));
  // One member alone that is too long.
  EXPECT_EQ(*trace::parse_tracestate("k=v," + std::string(256, 'k') + "=" + std::string(256, 'v')),
            "k=v");
}

TEST(trace, puts_a_changed_member_in_front) {
  EXPECT_EQ(*trace::with_member("a=1,b=2,c=3", "b", "9"), "b=9,a=1,c=3");
  EXPECT_EQ(*trace::with_member("", "b", "9"), "b=9");
  EXPECT_FALSE(trace::with_member("", "B", "9"));
  EXPECT_FALSE(trace::with_member("", "b", "9 "));
}

TEST(trace, keeps_the_traceparent_when_the_tracestate_is_bad) {
  auto span = trace::extract(good, "BAD");
  EXPECT_TRUE(span.valid());
  EXPECT_EQ(span.state, "");
  EXPECT_EQ(trace::extract(good, "a=1, b=2").state, "a=1,b=2");
  EXPECT_FALSE(trace::extract("bad", "a=1").valid());
  EXPECT_FALSE(trace::extract("", "").valid());
}

TEST(trace, begins_anew_when_there_are_two_traceparents) {
  std::string_view const twice[] = {good, good};
  std::string_view const state[] = {"a=1"};
  EXPECT_FALSE(trace::extract(twice, state).valid());
  EXPECT_FALSE(trace::extract({}, state).valid());
}

TEST(trace, reads_the_lines_of_tracestate_as_one_list) {
  std::string_view const parent[] = {good};
  std::string_view const lines[] = {"a=1 , b=2", "", "c=3"};
  EXPECT_EQ(trace::extract(parent, lines).state, "a=1,b=2,c=3");
  std::string_view const repeated[] = {"a=1", "a=2"};
  EXPECT_TRUE(trace::extract(parent, repeated).valid());
  EXPECT_EQ(trace::extract(parent, repeated).state, "");
}

TEST(trace, makes_ids_that_are_valid_and_differ) {
  std::set<trace::trace_id> traces;
  std::set<trace::span_id> spans;
  for (int i = 0; i < 1000; ++i) {
    traces.insert(trace::new_trace_id());
    spans.insert(trace::new_span_id());
  }
  EXPECT_EQ(traces.size(), 1000U);
  EXPECT_EQ(spans.size(), 1000U);
  EXPECT_TRUE(traces.begin()->valid());
}

TEST(trace, a_started_span_continues_its_parent_or_begins_a_trace) {
  auto const parent = trace::extract(good, "a=1");
  auto const child = trace::start_span(parent);
  EXPECT_EQ(child.trace, parent.trace);
  EXPECT_NE(child.span, parent.span);
  EXPECT_TRUE(child.sampled());
  EXPECT_EQ(child.state, "a=1");
  auto const root = trace::start_span({});
  EXPECT_TRUE(root.valid());
  EXPECT_FALSE(root.sampled());
}

TEST(trace, travels_in_the_context) {
  EXPECT_EQ(trace::from_context(context::background()), nullptr);
  auto const span = trace::start_span({});
  auto const ctx = trace::with_span(context::background(), span);
  ASSERT_NE(trace::from_context(ctx), nullptr);
  EXPECT_EQ(trace::from_context(ctx)->trace, span.trace);
}

}  // namespace
}  // namespace vole
