// SPDX-License-Identifier: Apache-2.0
#include "pprof/prune.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "pprof/call_tree.h"
#include "pprof/testing_profile.h"

namespace vole::pprof {
namespace {

using ::testing::ElementsAre;

parsed_profile parsed(testing_profile const& p) {
  auto got = parse_profile(p.bytes());
  EXPECT_TRUE(got) << got.error().message();
  return *std::move(got);
}

// The names of a sample's stack, the leaf first.
std::vector<std::string> stack_of(parsed_profile const& p, std::size_t sample) {
  std::vector<std::string> names;
  for (std::size_t const l : p.samples[sample].locations) {
    for (std::size_t i = 0; i < p.locations[l].lines.size(); ++i) {
      names.emplace_back(shown_name(p, l, i));
    }
  }
  return names;
}

void hide(parsed_profile& p, std::string const& name) {
  prune(p, [&](std::string_view asked) { return asked == name; });
}

TEST(pprof_prune, hides_a_function_with_all_that_it_calls) {
  testing_profile p;
  p.type("n", "count");
  std::uint64_t const main = p.call("main");
  std::uint64_t const hidden = p.call("operator new(unsigned long)");
  p.sample({p.call("malloc"), hidden, main}, {1});
  p.sample({p.call("leaf"), main}, {1});
  parsed_profile got = parsed(p);
  hide(got, "operator new");
  EXPECT_THAT(stack_of(got, 0), ElementsAre("main"));
  EXPECT_THAT(stack_of(got, 1), ElementsAre("leaf", "main"));
}

TEST(pprof_prune, hides_from_the_outermost_one_on) {
  testing_profile p;
  p.type("n", "count");
  std::uint64_t const hidden = p.call("hidden");
  p.sample({hidden, p.call("between"), hidden, p.call("main")}, {1});
  parsed_profile got = parsed(p);
  hide(got, "hidden");
  EXPECT_THAT(stack_of(got, 0), ElementsAre("main"));
}

TEST(pprof_prune, leaves_a_stack_that_begins_hidden_up_to_its_first_user) {
  testing_profile p;
  p.type("n", "count");
  std::uint64_t const hidden = p.call("hidden");
  p.sample({p.call("leaf"), hidden}, {1});
  p.sample({hidden}, {1});
  parsed_profile got = parsed(p);
  hide(got, "hidden");
  EXPECT_THAT(stack_of(got, 0), ElementsAre("leaf", "hidden"));
  EXPECT_THAT(stack_of(got, 1), ElementsAre("hidden"));
}

TEST(pprof_prune, of_inlined_calls_leaves_those_outside) {
  testing_profile p;
  p.type("n", "count");
  std::uint64_t const place =
      p.location({p.function("inner"), p.function("hidden"), p.function("outer")});
  p.sample({p.call("leaf"), place, p.call("main")}, {1});
  parsed_profile got = parsed(p);
  hide(got, "hidden");
  EXPECT_THAT(stack_of(got, 0), ElementsAre("outer", "main"));
}

TEST(pprof_prune, asks_by_the_name_without_arguments_once) {
  testing_profile p;
  p.type("n", "count");
  std::vector<std::string> asked;
  std::uint64_t const twice = p.call("a::(anonymous namespace)::f(int (*)(long))");
  p.sample({p.call("b::operator()(int)::{lambda()#1}::operator()(int) const"), twice, twice}, {1});
  p.sample({p.call(".opd")}, {1});
  p.sample({p.call("")}, {1});
  parsed_profile got = parsed(p);
  prune(got, [&](std::string_view name) {
    asked.emplace_back(name);
    return false;
  });
  EXPECT_THAT(asked, ElementsAre("a::(anonymous namespace)::f", "b::operator()", "opd"));
}

TEST(pprof_prune, the_reader_has_what_the_profile_asks_to_hide) {
  testing_profile p;
  p.type("n", "count");
  p.number(7, p.text("malloc|free"));
  p.number(8, p.text("free"));
  parsed_profile const got = parsed(p);
  EXPECT_EQ(got.drop_frames, "malloc|free");
  EXPECT_EQ(got.keep_frames, "free");
}

}  // namespace
}  // namespace vole::pprof
