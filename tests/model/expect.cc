// SPDX-License-Identifier: Apache-2.0
// See expect.h. No shared state.

#include "expect.h"

#include <cstdio>
#include <cstdlib>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <ostream>
#include <string>

namespace vole::model {

namespace {

int from_environment(char const* variable, int otherwise) {
  char const* const text = std::getenv(variable);
  return text == nullptr ? otherwise : std::atoi(text);
}

}  // namespace

void expect_holds(model_case const& c) {
  options with = c.bounds;
  with.preemptions = from_environment("VOLE_MODEL_PREEMPTIONS", with.preemptions);
  with.stale_reads = from_environment("VOLE_MODEL_STALE_READS", with.stale_reads);
  with.executions_max = static_cast<std::uint64_t>(
      from_environment("VOLE_MODEL_EXECUTIONS", static_cast<int>(with.executions_max)));
  report const r = explore(c.name, with, c.body);
  EXPECT_FALSE(r.failed) << r.failure << "\n" << r.schedule;
  EXPECT_TRUE(r.complete) << "not all within the bounds was seen";
}

void PrintTo(seeded const& s, std::ostream* to) {
  *to << s.name;
}

void expect_found(seeded const& s) {
  options with = s.in->bounds;
  with.broken = s.broken;
  std::string const title = std::string(s.in->name) + ", " + s.name;
  report const r = explore(title.c_str(), with, s.in->body);
  EXPECT_GT(r.fault_hits, 0U) << "no access is what the fault names";
  EXPECT_TRUE(r.failed) << "not found";
  EXPECT_THAT(r.failure, ::testing::HasSubstr(s.found_as)) << r.schedule;
  EXPECT_THAT(r.schedule, ::testing::HasSubstr("FAULT SEEDED HERE"));
  std::printf("  found as: %s\n", r.failure.c_str());
}

}  // namespace vole::model
