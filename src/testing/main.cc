// SPDX-License-Identifier: Apache-2.0
// main() of the tests: all run in the main goroutine, and each must leave as many goroutines as it
// found.
#include <chrono>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <memory>
#include <optional>

#include "vole/go.h"
#include "vole/testing.h"

namespace {

class leak_listener final : public testing::EmptyTestEventListener {
  void OnTestStart(testing::TestInfo const&) override { check_.emplace(); }
  void OnTestEnd(testing::TestInfo const&) override {
    if (std::string const left = check_->report(std::chrono::minutes(1)); !left.empty()) {
      ADD_FAILURE() << "the test leaves goroutines behind:\n\n" << left;
    }
  }

  std::optional<vole::testing::leak_check> check_;
};

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleMock(&argc, argv);
  // A fork of a process with several threads is no ground for a test: the child starts anew.
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  testing::UnitTest::GetInstance()->listeners().Append(new leak_listener);
  return vole::run([] { return RUN_ALL_TESTS(); });
}
