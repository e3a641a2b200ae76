// SPDX-License-Identifier: Apache-2.0
#include "pprof/flame.h"

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vole/chan.h"
#include "vole/go.h"

#include "pprof/testing_profile.h"

namespace vole::pprof {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

parsed_profile parsed(testing_profile const& p) {
  auto got = parse_profile(p.bytes());
  EXPECT_TRUE(got) << got.error().message();
  return *std::move(got);
}

// What of the page is not the same for every profile.
std::string data_of(std::string const& page) {
  constexpr std::string_view begin = "type=\"application/json\">";
  std::size_t const from = page.find(begin) + begin.size();
  return page.substr(from, page.find("</script>", from) - from);
}

TEST(pprof_flame, the_page_holds_the_tree_once_merged) {
  testing_profile p;
  p.type("samples", "count");
  p.type("cpu", "nanoseconds");
  std::uint64_t const main =
      p.location({p.function("inlined", "i.cc"), p.function("main", "m.cc")});
  std::uint64_t const leaf = p.call("leaf");
  p.sample({leaf, main}, {1, 10});
  p.sample({main}, {2, 20});
  p.sample({leaf, main}, {3, 30});
  std::string const page = data_of(flame_page(parsed(p), "cpu of folio", 1));
  EXPECT_THAT(page, HasSubstr(R"("title":"cpu of folio")"));
  EXPECT_THAT(page, HasSubstr(R"("type":1,"diff":false,"types":[{"type":"samples","unit":"count"},)"
                              R"({"type":"cpu","unit":"nanoseconds"}])"));
  EXPECT_THAT(page, HasSubstr("\"nodes\":[[0,1,0,0,0],\n[2,3,1,2,20],\n[4,5,2,4,40]]"));
  EXPECT_THAT(page, HasSubstr(R"("texts":["main","m.cc","inlined","i.cc","leaf",""])"));
}

TEST(pprof_flame, names_cannot_leave_the_data) {
  testing_profile p;
  p.type("n</script>", "count");
  p.sample({p.call("operator<</script><img src=x onerror=alert(1)>\"\\\n&amp;")}, {1});
  std::string const whole = flame_page(parsed(p), "</script><b>title", 0);
  EXPECT_TRUE(whole.ends_with("</html>\n"));
  std::string const page = data_of(whole);
  EXPECT_THAT(page, Not(HasSubstr("<img")));
  EXPECT_THAT(page, Not(HasSubstr("<b>title")));
  EXPECT_THAT(page, HasSubstr("operator\\u003c\\u003c/script\\u003e\\u003cimg src=x"));
  EXPECT_THAT(page, HasSubstr("\\\"\\\\\\u000a\\u0026amp;"));
}

TEST(pprof_flame, needs_nothing_from_the_network) {
  testing_profile p;
  p.type("n", "count");
  std::string const page = flame_page(parsed(p), "t", 0);
  EXPECT_TRUE(page.find("default-src 'none'") != page.npos);
  for (char const* word : {"http://", "https://", "src=", "@import", "url(", "fetch("}) {
    EXPECT_TRUE(page.find(word) == page.npos) << word;
  }
}

TEST(pprof_flame, a_base_stands_behind_the_values) {
  testing_profile now;
  now.type("n", "count");
  now.sample({now.call("grows")}, {3});
  testing_profile before;
  before.type("n", "count");
  before.sample({before.call("shrinks")}, {2});
  parsed_profile const base = parsed(before);
  std::string const page = data_of(flame_page(parsed(now), "t", 0, &base));
  EXPECT_THAT(page, HasSubstr("\"diff\":true"));
  EXPECT_THAT(page, HasSubstr("\"nodes\":[[0,1,0,3,0],\n[2,1,0,0,2]]"));
}

// On the stack of a goroutine: neither drawing a tree nor taking it down may climb along it.
TEST(pprof_flame, draws_a_stack_as_deep_as_may_be) {
  testing_profile p;
  p.type("n", "count");
  p.sample(std::vector<std::uint64_t>(frames_max, p.call("f")), {1});
  parsed_profile const deep = parsed(p);
  std::string page;
  std::string text;
  chan<unit> drawn(0);
  go([&, drawn] {
    page = data_of(flame_page(deep, "deep", 0));
    text = flame_text(deep, 0);
    drawn.close();
  });
  drawn.recv();
  EXPECT_THAT(page, HasSubstr("[0,1,4095,1]]"));
  EXPECT_EQ(std::ranges::count(text, '\n'), 1 + static_cast<std::ptrdiff_t>(frames_max));
}

TEST(pprof_flame, text_is_a_tree_of_shares) {
  testing_profile p;
  p.type("cpu", "nanoseconds");
  std::uint64_t const main = p.call("main");
  p.sample({p.call("busy"), main}, {900'000'000});
  p.sample({p.call("less"), main}, {97'000'000});
  p.sample({p.call("dust"), main}, {3'000'000});
  EXPECT_EQ(flame_text(parsed(p), 0),
            "Type: cpu, total 1s; below each call, what it calls\n"
            "        1s   100%  main\n"
            "     900ms 90.00%    busy\n"
            "      97ms  9.70%    less\n");
}

}  // namespace
}  // namespace vole::pprof
