// SPDX-License-Identifier: Apache-2.0
#pragma once
// Plain threads and goroutines that wait for one another, in the tests of sync and context.

#include <functional>
#include <gtest/gtest.h>
#include <string>
#include <thread>
#include <vector>

#include "vole/go.h"
#include "vole/sync/wait_group.h"

namespace vole {

inline constexpr int of_each_kind = 3;
inline constexpr int parties = 2 * of_each_kind;

// The even parties are threads, the odd ones goroutines.
inline void by_threads_and_goroutines(std::function<void(int party)> const& body) {
  sync::wait_group goroutines;
  // tidy: std::thread, the plain threads that the tests are about
  std::vector<std::thread> threads;
  for (int i = 0; i < of_each_kind; ++i) {
    threads.emplace_back([&body, i] { body(2 * i); });
    goroutines.go([&body, i] { body(2 * i + 1); });
  }
  goroutines.wait();
  blocking([&] {
    for (auto& t : threads) t.join();
  });
}

// A way in which the parties meet, as the parameter of a test.
struct meeting {
  char const* name;
  void (*run)();
};
inline std::string name_of_meeting(::testing::TestParamInfo<meeting> const& info) {
  return info.param.name;
}

}  // namespace vole
