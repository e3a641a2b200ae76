// SPDX-License-Identifier: Apache-2.0
// What stands below all code under test in a model build: the futex, the clock, membarrier, panics;
// and what no case reaches.

#include <ctime>
#include <source_location>

#include "vole/assert.h"

#include "base/futex.h"
#include "explorer.h"
#include "runtime/asymmetric.h"
#include "runtime/bubble.h"
#include "runtime/contention.h"
#include "runtime/scheduler.h"

// A case does the same each time it is run: the clock is the explorer's.
std::chrono::steady_clock::time_point std::chrono::steady_clock::now() noexcept {
  if (vole::model::running()) return time_point(std::chrono::nanoseconds(vole::model::clock_ns()));
  timespec t{};
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return time_point(std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec));
}

namespace vole {

void panic(std::string_view message) {
  model::fail("panic: " + std::string(message));
}

namespace internal {

void assert_failed(char const* kind, char const* condition, char const* file, int line,
                   std::string const& message) {
  model::fail(fmt::format("{}: {} {} at {}:{}", kind, condition, message, file, line));
}

// --- futex

namespace {

template <class T>
bool wait_on(atomic<T>& word, T expected, time_point deadline) noexcept {
  return model::sleep_on({&word, static_cast<std::uint64_t>(expected), sizeof(T)},
                         static_cast<std::uint64_t>(expected), deadline != never,
                         std::source_location::current());
}

}  // namespace

bool futex_wait(atomic<int>& word, int expected, time_point deadline) noexcept {
  return wait_on(word, expected, deadline);
}
bool futex_wait(atomic<std::uint32_t>& word, std::uint32_t expected, time_point deadline) noexcept {
  return wait_on(word, expected, deadline);
}
void futex_wake(atomic<int>& word, int count) noexcept {
  model::wake(&word, count, std::source_location::current());
}
void futex_wake(atomic<std::uint32_t>& word, int count) noexcept {
  model::wake(&word, count, std::source_location::current());
}

// --- membarrier

bool membarrier_registered() noexcept {
  return true;
}
void slow_barrier() noexcept {
  model::barrier();
}

// --- what no case reaches

std::uint32_t contention::wait_sample::choose_wait(time_point*) noexcept {
  return 0;
}
void contention::wait_sample::record_wait(time_point, std::uint32_t, duration,
                                          void const*) noexcept {}

void scheduler::refuse_in_child() noexcept {
  model::fail("a fork in a model");
}

bool bubble::durable(wait_reason) noexcept {
  return false;
}
void bubble::blocking() noexcept {
  model::fail("a bubble in a model");
}
void bubble::blocked() noexcept {
  model::fail("a bubble in a model");
}
void bubble::release() noexcept {
  model::fail("a bubble in a model");
}
void bubble::readied() noexcept {
  model::fail("a bubble in a model");
}

}  // namespace internal
}  // namespace vole
