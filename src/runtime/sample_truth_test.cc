// SPDX-License-Identifier: Apache-2.0
// Whether CPU samples tell the truth, also while the process forks, starts programs, loads
// libraries, and makes and ends threads.
//
// A timer fires for each 10 ms that its thread has used, the first time anywhere in its first 10
// ms: what is counted of a thread differs from what it used by one sample at most, once the kernel
// has looked: who is measured ends with a look, see burn_test.h. The tests compare with processor
// time, not with the clock on the wall, and use so much of it that 5 % are several such
// differences.

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <latch>
#include <memory>
#include <signal.h>
#include <string>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "vole/go.h"
#include "vole/internal/atomic.h"

#include "runtime/burn_test.h"
#include "runtime/latch_test.h"
#include "runtime/sample.h"
#include "runtime/sanitizer.h"
#include "symbol/symbolize.h"

namespace vole::internal::sample {
namespace {

constexpr double period_ns = 1e9 / cpu_hz;

double process_cpu_ns() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  auto const ns = [](timeval const& t) {
    return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_usec) * 1e3;
  };
  return ns(used.ru_utime) + ns(used.ru_stime);
}

// A capture that adds up by the stacks' program counters.
struct counted {
  struct entry {
    std::uint64_t weight;
    std::vector<std::uintptr_t> pcs;
  };
  double of(std::string const& function) const {
    std::uint64_t sum = 0;
    for (entry const& e : entries) {
      bool const named = std::ranges::any_of(e.pcs, [&](std::uintptr_t pc) {
        return symbol::symbol_name(pc - 1).find(function) != std::string::npos;
      });
      sum += named ? e.weight : 0;
    }
    return static_cast<double>(sum);
  }
  std::uint64_t total() const {
    std::uint64_t sum = 0;
    for (entry const& e : entries) sum += e.weight;
    return sum;
  }

  std::vector<entry> entries;
  cpu_capture capture{
      [](void* self, cpu_sample const& s) {
        static_cast<counted*>(self)->entries.push_back({s.weight, {s.pcs.begin(), s.pcs.end()}});
      },
      this};
};

// A thread that is known to the sampler before it works: it waits for `begun`.
template <int Which>
std::thread worker_thread(std::latch& begun, std::uint64_t ms, std::uint64_t* used) {
  return std::thread([&begun, ms, used] {
    thread_started();
    begun.wait();
    *used = burn_measured<Which>(ms);
  });
}

TEST(sample_truth, the_sum_is_what_getrusage_says) {
  if (VOLE_ASAN || VOLE_TSAN) GTEST_SKIP() << "a sanitizer's own threads are not sampled";
  counted all;
  std::latch begun(1);
  std::uint64_t used_by_other = 0;
  std::thread other = worker_thread<1>(begun, 1000, &used_by_other);
  ASSERT_EQ(all.capture.start(), 0);
  double const before = process_cpu_ns();  // after the unwind tables have been read
  begun.count_down();
  burn_measured<2>(1000);
  other.join();
  all.capture.stop();
  double const used = process_cpu_ns() - before;
  EXPECT_NEAR(static_cast<double>(all.total()) * period_ns / used, 1, 0.05);
}

TEST(sample_truth, threads_have_what_they_used_and_equal_ones_a_half_each) {
  counted all;
  std::latch begun(1);
  std::uint64_t used_by_one = 0;
  std::uint64_t used_by_two = 0;
  std::thread one = worker_thread<3>(begun, 1500, &used_by_one);
  std::thread two = worker_thread<4>(begun, 1500, &used_by_two);
  ASSERT_EQ(all.capture.start(), 0);
  begun.count_down();
  one.join();
  two.join();
  all.capture.stop();
  double const a = all.of("burn_measured<3>") * period_ns;
  double const b = all.of("burn_measured<4>") * period_ns;
  EXPECT_NEAR(a / static_cast<double>(used_by_one), 1, 0.05);
  EXPECT_NEAR(b / static_cast<double>(used_by_two), 1, 0.05);
  double const share = static_cast<double>(used_by_one) /
                       static_cast<double>(used_by_one + used_by_two);  // a half, or nearly
  EXPECT_NEAR(a / (a + b), share, 0.05);
}

// Every signal of a timer is in the capture, with its stack or as a lost one.
void expect_all_accounted(counted const& all, std::uint64_t signals_before) {
  std::uint64_t const signals = read_counters().signals_total - signals_before;
  // A signal that came as the capture ended may have been counted and not kept.
  EXPECT_LE(all.total(), signals);
  EXPECT_LE(signals - all.total(), 2U);
}

// run_while_burning calls act again and again while another thread computes, and holds the profile
// to that thread's time.
template <int Which, class Act>
void run_while_burning(Act act) {
  counted all;
  std::latch begun(1);
  std::uint64_t used = 0;
  std::uint64_t const signals = read_counters().signals_total;
  std::thread burner = worker_thread<Which>(begun, 2500, &used);
  ASSERT_EQ(all.capture.start(), 0);
  begun.count_down();
  for (int i = 0; i < 20; ++i) act();
  burner.join();
  all.capture.stop();
  std::string const name = "burn_measured<" + std::to_string(Which) + '>';
  EXPECT_NEAR(all.of(name) * period_ns / static_cast<double>(used), 1, 0.05);
  expect_all_accounted(all, signals);
}

constinit atomic<int> signals_in_child{0};

// What a child of fork does; its status. It must take no lock that another thread may have held.
int use_processor_in_child() {
  struct sigaction count{};
  count.sa_handler = [](int) { signals_in_child.fetch_add(1); };
  sigaction(SIGPROF, &count, nullptr);
  burn_alone<5>(50);
  return signals_in_child.load() == 0 ? 0 : 1;
}

int status_of(pid_t child) {
  int status = -1;
  while (waitpid(child, &status, 0) == -1 && errno == EINTR) {
  }
  return status;
}

TEST(sample_truth, a_child_of_fork_has_no_timers) {
  if (VOLE_TSAN) GTEST_SKIP() << "TSan's runtime does not come through a fork with threads";
  run_while_burning<6>([] {
    pid_t const child = fork();
    if (child == 0) _exit(use_processor_in_child());
    ASSERT_GT(child, 0);
    EXPECT_EQ(status_of(child), 0);
  });
}

TEST(sample_truth, a_program_that_is_started_is_not_killed_by_a_timer) {
  if (VOLE_TSAN) GTEST_SKIP() << "TSan's runtime does not come through a fork with threads";
  run_while_burning<7>([] {
    pid_t const child = vfork();
    if (child == 0) {
      // SIGPROF would end it: an exec leaves no handler.
      execl("/bin/sh", "sh", "-c", "i=0; while [ $i -lt 10000 ]; do i=$((i+1)); done", nullptr);
      _exit(127);
    }
    ASSERT_GT(child, 0);
    EXPECT_EQ(status_of(child), 0);
  });
}

unsigned long burn_for_library(unsigned long ms) {
  return burn_alone<13>(ms);
}

TEST(sample_truth, libraries_come_and_go) {
  run_while_burning<8>([] {
    for (int i = 0; i < 10; ++i) {
      void* const library = dlopen(VOLE_TEST_LIBRARY, RTLD_NOW | RTLD_LOCAL);
      ASSERT_NE(library, nullptr) << dlerror();
      using call = unsigned long (*)(unsigned long (*)(unsigned long), unsigned long);
      auto const through = reinterpret_cast<call>(dlsym(library, "vole_test_library_call"));
      ASSERT_NE(through, nullptr) << dlerror();
      EXPECT_GT(through(&burn_for_library, 1), 1'000'000U);
      EXPECT_EQ(dlclose(library), 0);
      EXPECT_EQ(dlopen(VOLE_TEST_LIBRARY, RTLD_NOW | RTLD_NOLOAD), nullptr);
    }
  });
}

TEST(sample_truth, threads_come_and_go) {
  run_while_burning<9>([] {
    std::vector<std::thread> few;
    for (int i = 0; i < 8; ++i) few.emplace_back([] { burn_alone<10>(2); });
    for (std::thread& t : few) t.join();
  });
}

TEST(sample_truth, goroutines_come_and_go) {
  run_while_burning<11>([] {
    latch done(200);
    for (int i = 0; i < 200; ++i) {
      go([&done] {
        burn_alone<12>(0);
        done.count_down();
      });
    }
    done.wait();
  });
}

}  // namespace
}  // namespace vole::internal::sample
