// SPDX-License-Identifier: Apache-2.0
#include "pprof/reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits>

#include "vole/pprof.h"

#include "pprof/profile.h"
#include "pprof/testing_profile.h"

namespace vole::pprof {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

testing_profile small() {
  testing_profile p;
  p.type("samples", "count");
  p.type("cpu", "nanoseconds");
  std::uint64_t const program = p.mapping("/srv/folio");
  std::uint64_t const leaf =
      p.location({p.function("inner", "a.cc"), p.function("outer")}, program);
  std::uint64_t const unknown = p.location({}, program);
  p.sample({leaf, unknown}, {3, 30});
  p.number(9, 5);
  p.number(10, 6);
  return p;
}

void expect_refused(std::string const& bytes, std::string const& why) {
  auto const got = parse_profile(bytes);
  ASSERT_FALSE(got);
  EXPECT_THAT(got.error().message(), HasSubstr(why));
}

TEST(pprof_reader, reads_what_a_profile_holds_gzipped_or_not) {
  std::string const bytes = small().bytes();
  for (std::string const& form : {bytes, gzip(bytes)}) {
    auto const p = parse_profile(form);
    ASSERT_TRUE(p) << p.error().message();
    EXPECT_EQ(p->types[1].unit, "nanoseconds");
    EXPECT_EQ(p->default_type, 1U);
    EXPECT_EQ(p->time_ns, 5);
    EXPECT_EQ(p->duration_ns, 6);
    ASSERT_EQ(p->samples.size(), 1U);
    EXPECT_THAT(p->samples[0].values, ElementsAre(3, 30));
    EXPECT_THAT(p->samples[0].locations, ElementsAre(0U, 1U));
    ASSERT_EQ(p->locations[0].lines.size(), 2U);
    EXPECT_EQ(p->functions[p->locations[0].lines[0].function].file, "a.cc");
    EXPECT_EQ(p->locations[0].lines[0].line, 7);
    EXPECT_TRUE(p->locations[1].lines.empty());
    EXPECT_EQ(p->mappings[p->locations[1].mapping].shown, "[folio]");
  }
}

TEST(pprof_reader, reads_our_own_profiles) {
  auto const p = parse_profile(lookup("goroutine")->write(0));
  ASSERT_TRUE(p) << p.error().message();
  EXPECT_EQ(p->types[0].type, "goroutine");
  ASSERT_FALSE(p->samples.empty());
  EXPECT_FALSE(p->locations[p->samples[0].locations[0]].lines.empty());
}

TEST(pprof_reader, takes_the_default_type_that_the_profile_names) {
  testing_profile p = small();
  p.number(14, p.text("samples"));
  auto const got = parse_profile(p.bytes());
  ASSERT_TRUE(got);
  EXPECT_EQ(got->default_type, 0U);
  EXPECT_EQ(*type_index(*got, ""), 0U);
  EXPECT_EQ(*type_index(*got, "cpu"), 1U);
  EXPECT_EQ(type_index(*got, "wall").error().message(),
            "no sample type 'wall': there are samples, cpu");
}

TEST(pprof_reader, takes_repeated_numbers_one_by_one) {
  testing_profile p;
  p.type("n", "count");
  std::uint64_t const at = p.call("f");
  std::string sample;
  protozero::pbf_writer m(sample);
  m.add_uint64(1, at);
  m.add_uint64(1, at);
  m.add_int64(2, -4);
  std::string bytes = p.bytes();
  protozero::pbf_writer(bytes).add_message(2, sample);
  auto const got = parse_profile(bytes);
  ASSERT_TRUE(got) << got.error().message();
  EXPECT_EQ(got->samples[0].locations.size(), 2U);
  EXPECT_THAT(got->samples[0].values, ElementsAre(-4));
}

TEST(pprof_reader, says_what_is_wrong) {
  expect_refused("", "not a profile: it is empty");
  expect_refused("<html>404", "neither gzip nor profile.proto; it begins with \"<html>404\"");
  std::string const packed = gzip(small().bytes());
  expect_refused(packed.substr(0, packed.size() / 2), "the gzip data ends too early");
  expect_refused(packed + "more", "bytes behind the end of the gzip data");
  std::string broken = packed;
  broken[packed.size() / 2] = static_cast<char>(~broken[packed.size() / 2]);
  expect_refused(broken, "not a profile: ");

  testing_profile no_types;
  expect_refused(no_types.bytes(), "it has no sample type");
  testing_profile few = small();
  few.sample({1}, {1});
  expect_refused(few.bytes(), "a sample has not as many values as there are types");
  testing_profile nowhere = small();
  nowhere.sample({9}, {1, 1});
  expect_refused(nowhere.bytes(), "a sample has a location that is not there");
  testing_profile no_function = small();
  no_function.location({9});
  expect_refused(no_function.bytes(), "a location has a function that is not there");
  testing_profile no_mapping_there = small();
  no_mapping_there.location({}, 9);
  expect_refused(no_mapping_there.bytes(), "a location has a mapping that is not there");
  testing_profile no_text = small();
  no_text.number(14, 99);
  expect_refused(no_text.bytes(), "a text is not in the string table");
  testing_profile twice = small();
  expect_refused(twice.bytes() + twice.bytes(), "two entries have one id");
  testing_profile large = small();
  large.sample({1}, {std::numeric_limits<std::int64_t>::min(), 0});
  expect_refused(large.bytes(), "its values add up to more than 2^62");
  // A difference of two must fit, too.
  testing_profile half_of_all = small();
  half_of_all.sample({1}, {std::int64_t{1} << 62, 0});
  expect_refused(half_of_all.bytes(), "its values add up to more than 2^62");
}

TEST(pprof_reader, reads_a_file_of_several_members) {
  std::string const bytes = small().bytes();
  std::string const two = gzip(bytes.substr(0, 10)) + gzip(bytes.substr(10));
  auto const p = parse_profile(two);
  ASSERT_TRUE(p) << p.error().message();
  EXPECT_EQ(p->types.size(), 2U);
  expect_refused(gzip(bytes) + gzip(std::string(1 << 20, 'x')).substr(0, 40),
                 "the gzip data ends too early");
}

TEST(pprof_reader, refuses_a_stack_that_is_too_deep) {
  testing_profile p;
  p.type("n", "count");
  std::uint64_t const once = p.call("f");
  p.sample(std::vector<std::uint64_t>(frames_max, once), {1});
  EXPECT_TRUE(parse_profile(p.bytes()));
  p.sample(std::vector<std::uint64_t>(40'000, once), {1});
  expect_refused(p.bytes(), "a sample has more than 4096 frames");
  testing_profile inlined;
  inlined.type("n", "count");
  std::uint64_t const many =
      inlined.location(std::vector<std::uint64_t>(frames_max, inlined.function("inlined")));
  inlined.sample({many, inlined.call("f")}, {1});
  expect_refused(inlined.bytes(), "a sample has more than 4096 frames");
}

// A sample of eight bytes takes more than a hundred in memory.
TEST(pprof_reader, takes_no_more_memory_than_it_may) {
  testing_profile p;
  p.type("n", "count");
  std::uint64_t const at = p.call("f");
  for (int i = 0; i < 100'000; ++i) p.sample({at}, {1});
  std::string const bytes = p.bytes();
  EXPECT_TRUE(parse_profile(bytes, 1 << 25));
  auto const got = parse_profile(bytes, 1 << 20);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().message(), "not a profile: it takes too much memory for its size");
}

parsed_profile with_types(std::vector<parsed_type> types) {
  testing_profile p;
  for (parsed_type const& t : types) p.type(t.type, t.unit);
  return *parse_profile(p.bytes());
}

TEST(pprof_reader, a_base_has_the_same_types) {
  parsed_profile const profile = with_types({{"a", "n"}, {"b", "n"}});
  EXPECT_FALSE(check_same_types(profile, profile));
  EXPECT_EQ(check_same_types(profile, with_types({{"c", "n"}})).message(),
            "the base has other values (c) than the profile (a, b)");
  EXPECT_EQ(check_same_types(profile, with_types({{"a, b", "n"}})).message(),
            "the base has other values (a, b in \"n\") than the profile (a in \"n\", b in \"n\")");
  EXPECT_TRUE(check_same_types(profile, with_types({{"a", "n"}, {"b", "bytes"}})));
}

TEST(pprof_reader, unpacks_no_more_than_it_may) {
  std::string const packed = gzip(std::string(1 << 20, '\0'));
  auto const got = parse_profile(packed, 1000);
  ASSERT_FALSE(got);
  EXPECT_THAT(got.error().message(), HasSubstr("unpacks to more than 1000 bytes"));
}

}  // namespace
}  // namespace vole::pprof
