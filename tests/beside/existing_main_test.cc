// SPDX-License-Identifier: Apache-2.0
// vole in a program whose main() is not vole's: GoogleTest's, here. Each in a process of its own,
// which begins without a runtime.
#include <cstdlib>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "vole/chan.h"
#include "vole/go.h"

namespace vole {
namespace {

// The sum of 1 to n, by a goroutine and whoever calls.
int sum_to(int n) {
  chan<int> numbers(0);
  go([numbers, n]() mutable {
    for (int i = 1; i <= n; ++i) numbers.send(i);
    numbers.close();
  });
  int sum = 0;
  while (auto const number = numbers.recv()) sum += *number;
  return sum;
}

// run_sum is sum_to as main goroutine.
int run_sum(int n) {
  return run([n] { return sum_to(n); });
}

[[noreturn]] void end_with(bool good) {
  std::_Exit(good ? 0 : 1);
}

void fork_and_sum() {
  pid_t const child = ::fork();
  if (child == 0) end_with(run_sum(100) == 5050);
  bool const here = run_sum(10) == 55;
  int status = -1;
  bool const there = ::waitpid(child, &status, 0) == child && status == 0;
  end_with(here && there);
}

void sum_on_threads() {
  int sums[4] = {};
  {
    std::jthread const first([&] { sums[0] = sum_to(100); });
    std::jthread const second([&] { sums[1] = run_sum(100); });
    std::jthread const third([&] { sums[2] = run_sum(100); });
  }
  sums[3] = run_sum(100);
  bool good = true;
  for (int const sum : sums) good = good && sum == 5050;
  end_with(good);
}

TEST(existing_main_death, a_child_forked_before_the_first_goroutine_has_a_runtime_of_its_own) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(fork_and_sum(), ::testing::ExitedWithCode(0), "");
}

TEST(existing_main_death, threads_use_goroutines_and_run_one_beside_and_after_the_other) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(sum_on_threads(), ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace vole
