// SPDX-License-Identifier: Apache-2.0
#include "pprof/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vole::pprof {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

using pcs = std::vector<std::uintptr_t>;
using values = std::vector<std::int64_t>;

// Addresses in no module: what is written for them does not depend on this program.
stack_sample sample(pcs stack, values v, std::vector<text_label> labels = {}) {
  return {.pcs = std::move(stack), .values = std::move(v), .labels = std::move(labels)};
}

profile_data data_of(std::vector<value_type> types, std::vector<stack_sample> samples) {
  return {.sample_types = std::move(types),
          .period_type = {"x", "count"},
          .period = 1,
          .begun = {},
          .lasted = {},
          .samples = std::move(samples)};
}

std::string heap(std::vector<stack_sample> samples) {
  return text_of("heap", data_of({{"alloc_objects", "count"},
                                  {"alloc_space", "bytes"},
                                  {"inuse_objects", "count"},
                                  {"inuse_space", "bytes"}},
                                 std::move(samples)));
}

TEST(pprof_text, heap_has_gos_columns_and_nothing_to_unsample) {
  std::string const text =
      heap({sample({0xf, 0x1f}, {5, 160, 2, 64}), sample({0x2f}, {1, 8, 0, 0})});
  EXPECT_THAT(text, StartsWith("heap profile: 2: 64 [6: 168] @ heap/2\n"
                               "0: 0 [1: 8] @ 0x30\n#\t0x30\n\n"
                               "2: 64 [5: 160] @ 0x10 0x20\n#\t0x10\n#\t0x20\n\n"));
  EXPECT_THAT(text, ContainsRegex("\n# runtime.MemStats\n(.*\n)*# MaxRSS = [1-9][0-9]+\n$"));
}

TEST(pprof_text, heap_with_nothing_freed_keeps_four_columns) {
  EXPECT_THAT(heap({sample({0xf}, {1, 8, 1, 8})}),
              StartsWith("heap profile: 1: 8 [1: 9] @ heap/2\n1: 8 [1: 8] @ 0x10\n"));
}

TEST(pprof_text, heap_begins_where_the_allocator_ends) {
  auto const allocator =
      reinterpret_cast<std::uintptr_t>(static_cast<void* (*)(std::size_t)>(&::operator new));
  auto const caller = reinterpret_cast<std::uintptr_t>(&text_of);
  std::string const text = heap({sample({allocator, caller}, {1, 1, 1, 1})});
  EXPECT_THAT(text, HasSubstr("vole::pprof::text_of"));
  EXPECT_THAT(text, Not(HasSubstr("\toperator new")));
  EXPECT_THAT(heap({sample({allocator}, {1, 1, 1, 1})}), HasSubstr("\toperator new"));
}

TEST(pprof_text, contention_says_its_clock_and_sorts_by_delay) {
  auto const data = data_of({{"contentions", "count"}, {"delay", "nanoseconds"}},
                            {sample({0xf}, {1, 5}), sample({0x1f, 0x2f}, {2, 700})});
  EXPECT_EQ(text_of("mutex", data),
            "--- mutex:\ncycles/second=1000000000\nsampling period=1\n"
            "700 2 @ 0x20 0x30\n#\t0x20\n#\t0x30\n\n"
            "5 1 @ 0x10\n#\t0x10\n\n");
  EXPECT_THAT(text_of("block", data),
              StartsWith("--- contention:\ncycles/second=1000000000\n700 2 @ 0x20 0x30\n"));
}

TEST(pprof_text, counts_show_their_labels) {
  auto const data =
      data_of({{"folio.connections", "count"}},
              {sample({0xf}, {3}, {{"shop", "a\"b"}, {"user", "7"}}), sample({0x1f}, {4})});
  EXPECT_EQ(text_of("folio.connections", data),
            "folio.connections profile: total 7\n"
            "4 @ 0x20\n#\t0x20\n\n"
            "3 @ 0x10\n# labels: {\"shop\":\"a\\\"b\", \"user\":\"7\"}\n#\t0x10\n\n");
}

}  // namespace
}  // namespace vole::pprof
