// SPDX-License-Identifier: Apache-2.0
#include "bench/benchfmt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "bench/benchfmt_text.h"
#include "bench/benchfmt_unit.h"

namespace vole::benchfmt {
namespace {

using testing::ElementsAre;

// read is a line for each record: "name unit=value ..." or the error's text.
std::vector<std::string> read(std::string_view text) {
  std::vector<std::string> seen;
  unit_notes notes;
  reader in(text, "f", "label", notes);
  for (auto record = in.next(); record != reader::record::end; record = in.next()) {
    if (record == reader::record::syntax_error) {
      seen.push_back(in.error().text());
      continue;
    }
    std::string line = in.current().name;
    for (auto const& m : in.current().values) line += ' ' + m.unit + '=' + shortest(m.value);
    seen.push_back(line);
  }
  if (in.failure()) seen.push_back(in.failure().message());
  return seen;
}

TEST(benchfmt, results_are_read_in_base_units) {
  EXPECT_THAT(read("BenchmarkA/n=1-8\t 10  2500 ns/op\t3 MB/s 7 allocs/op 8 p99-ns/op\n"),
              ElementsAre("A/n=1-8 sec/op=2.5e-06 B/s=3e+06 allocs/op=7 p99-sec/op=8e-09"));
  EXPECT_THAT(read("BenchmarkA 1 0 ns/op"), ElementsAre("A ns/op=0"));
}

TEST(benchfmt, errors_name_file_and_line_and_reading_goes_on) {
  EXPECT_THAT(
      read("PASS\nBenchmarkA\nBenchmarkA 1\nBenchmarkA x 1 b\nBenchmarkA 1 y b\n"
           "BenchmarkA 1 1\nBenchmarkA 1 1e400 b\nUnit\nUnit a b =c\nBenchmarkB 1 1 b\n"),
      ElementsAre("f:3: missing measurements", "f:4: parsing iteration count: invalid syntax",
                  "f:5: parsing measurement: invalid syntax", "f:6: missing units",
                  "f:7: parsing measurement: value out of range", "f:8: missing unit",
                  "f:9: expected key=value", "f:9: expected key=value", "B b=1"));
}

TEST(benchfmt, a_line_of_64_kib_ends_the_file) {
  std::string const longest(64 * 1024 - 1, 'x');
  EXPECT_THAT(read(longest + "\nBenchmarkA 1 1 b"), ElementsAre("A b=1"));
  EXPECT_THAT(read("BenchmarkA 1 1 b\n" + longest + "x\nBenchmarkB 1 1 b"),
              ElementsAre("A b=1", "f:1: bufio.Scanner: token too long"));
}

TEST(benchfmt, a_key_that_goes_gives_its_place_to_the_last) {
  unit_notes notes;
  reader in("a: 1\nb: 2\nc:  3 4\nX: 5\nd e: 6\nf:7\na:\nBenchmarkA 1 1 b\n", "f", "label", notes);
  ASSERT_EQ(in.next(), reader::record::result);
  std::string seen;
  for (auto const& c : in.current().configs()) seen += c.key + '=' + c.value + ';';
  EXPECT_EQ(seen, ".file=label;c=3 4;b=2;");
}

TEST(benchfmt, what_is_said_of_a_unit_holds_for_its_base_form_and_is_said_once) {
  unit_notes notes;
  EXPECT_EQ(notes.add("ns/op", "assume", "exact"), nullptr);
  EXPECT_EQ(notes.get("sec/op", "assume"), "exact");
  EXPECT_EQ(notes.add("sec/op", "assume", "exact"), nullptr);
  auto const* other = notes.add("ns/op", "assume", "nothing");
  ASSERT_NE(other, nullptr);
  EXPECT_EQ(*other, "exact");
}

TEST(benchfmt, names_are_split) {
  auto const split = split_name("Sort/n=10/hot-8");
  EXPECT_EQ(split.base, "Sort");
  EXPECT_THAT(split.parts, ElementsAre("/n=10", "/hot", "-8"));
  EXPECT_EQ(base_name("Sort-8"), "Sort");
  EXPECT_EQ(base_name("Sort-x"), "Sort-x");
  EXPECT_EQ(base_name("Sort-"), "Sort-");
}

TEST(benchfmt, inputs_have_labels) {
  std::string seen;
  for (auto const& in : inputs_of({"a", "b=a", "a", "c"})) seen += in.label + '<' + in.path + ' ';
  EXPECT_EQ(seen, "a#0<a b<a a#1<a c<c ");
}

TEST(benchfmt, a_file_that_cannot_be_read_says_why) {
  EXPECT_EQ(read_input("/nowhere/x").open_failure.message(),
            "open /nowhere/x: no such file or directory");
  EXPECT_EQ(read_input("/").read_failure.message(), "read /: is a directory");
}

TEST(benchfmt_text, numbers_are_go_s) {
  for (auto const* good :
       {"1", "+1.5e3", ".5", "5.", "0x1p-2", "1_000", "0x_1p0", "-inf", "Infinity", "nan"}) {
    EXPECT_EQ(parse_float(good).err, number_error::none) << good;
  }
  for (auto const* bad :
       {"", "+", ".", "1e", "0x1", "_1", "1__0", "1_", "1_.5", "infi", "+nan", "1 "}) {
    EXPECT_EQ(parse_float(bad).err, number_error::syntax) << bad;
  }
  EXPECT_EQ(parse_float("1_000").value, 1000);
  EXPECT_EQ(parse_float("0x1.8p1").value, 3);
  EXPECT_EQ(parse_int("+-1").err, number_error::syntax);
  EXPECT_EQ(parse_int("9223372036854775808").err, number_error::range);
}

TEST(benchfmt_text, numbers_are_shown_as_go_does) {
  EXPECT_EQ(shortest(123456), "123456");
  EXPECT_EQ(shortest(1e6), "1e+06");
  EXPECT_EQ(shortest(0.0001), "0.0001");
  EXPECT_EQ(shortest(0.00001), "1e-05");
  EXPECT_EQ(shortest(-std::numeric_limits<double>::infinity()), "-Inf");
  EXPECT_EQ(fixed(std::numeric_limits<double>::quiet_NaN(), 2, true), "+NaN");
  EXPECT_EQ(fixed(0.125, 2), "0.12");
  EXPECT_EQ(pad(4, "µ"), "   µ");
  EXPECT_EQ(pad(-4, "µ"), "µ   ");
}

TEST(benchfmt_text, words_are_quoted_and_read_back) {
  for (std::string const text : {"plain", "a \"b\" \\ \n\t", "µ\x01\x7f", "\xff", "\u200b", "😀"}) {
    auto const back = unquote(quote(text));
    ASSERT_TRUE(back.has_value()) << quote(text);
    EXPECT_EQ(*back, text);
  }
  EXPECT_EQ(quote("\xff\u200b"), R"("\xff\u200b")");
  for (auto const* bad : {"\"", "\"a", R"("\q")", R"("\ud800")", R"("\400")", "\"\n\""}) {
    EXPECT_FALSE(unquote(bad).has_value()) << bad;
  }
}

TEST(benchfmt_text, fields_are_parted_by_any_white_space) {
  std::string_view line = "a\u00a0 b\tc";
  EXPECT_EQ(take_field(line), "a");
  EXPECT_EQ(take_field(line), "b");
  EXPECT_EQ(take_field(line), "c");
  EXPECT_EQ(take_field(line), "");
}

TEST(benchfmt_unit, only_numerators_are_tidied) {
  EXPECT_EQ(tidy_unit("op/ns").unit, "op/ns");
  EXPECT_EQ(tidy_unit("x/op*ns").unit, "x/op*sec");
  EXPECT_EQ(tidy_unit("MB-ns/op").factor, 1e6 / 1e9);
  EXPECT_EQ(class_of("B/op"), unit_class::binary);
  EXPECT_EQ(class_of("op/B"), unit_class::decimal);
}

TEST(benchfmt_unit, three_digits_are_shown_of_the_least_value) {
  auto const shown = [](double value, unit_class which = unit_class::decimal) {
    return common_scale({&value, 1}, which).format(value);
  };
  EXPECT_EQ(shown(0), "0.000");
  EXPECT_EQ(shown(999.94), "999.9");
  EXPECT_EQ(shown(999.95), "1.000k");
  EXPECT_EQ(shown(1.5e-6), "1.500µ");
  EXPECT_EQ(shown(1.5e-12), "0.001500n");
  EXPECT_EQ(shown(1020, unit_class::binary), "1020.0");
  EXPECT_EQ(shown(1024, unit_class::binary), "1.000Ki");
}

}  // namespace
}  // namespace vole::benchfmt
