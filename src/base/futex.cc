// SPDX-License-Identifier: Apache-2.0
#include "base/futex.h"

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace vole::internal {
namespace {

// ThreadSanitizer keeps a signal back until its thread calls a function that it stands in front of:
// one that came to a sleeper would be lost. So it wakes up now and then, and calls one.
#ifdef __SANITIZE_THREAD__
constexpr duration sleep_longest = std::chrono::milliseconds(100);
void take_signals() noexcept {
  ::usleep(0);
}
#else
constexpr duration sleep_longest = duration::max();
void take_signals() noexcept {}
#endif

bool wait_word(void* word, std::uint32_t expected, time_point deadline) noexcept {
  bool in_part = false;
  if constexpr (sleep_longest != duration::max()) {
    time_point const part = monotonic_now() + sleep_longest;
    in_part = part < deadline;
    deadline = std::min(deadline, part);
  }
  timespec at{};
  timespec* timeout = nullptr;
  if (deadline != never) {
    auto const ns = deadline.time_since_epoch().count();
    at.tv_sec = ns / 1'000'000'000;
    at.tv_nsec = ns % 1'000'000'000;
    timeout = &at;
  }
  // FUTEX_WAIT_BITSET takes an absolute time of CLOCK_MONOTONIC, the clock of time_point.
  int const saved = errno;
  long const r = ::syscall(SYS_futex, word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, expected,
                           timeout, nullptr, FUTEX_BITSET_MATCH_ANY);
  bool const timed_out = r == -1 && errno == ETIMEDOUT;
  take_signals();
  errno = saved;
  return !timed_out || in_part;
}

void wake_word(void* word, int count) noexcept {
  int const saved = errno;
  ::syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, count, nullptr, nullptr, 0);
  errno = saved;
}

}  // namespace

bool futex_wait(atomic<int>& word, int expected, time_point deadline) noexcept {
  return wait_word(&word, static_cast<std::uint32_t>(expected), deadline);
}
bool futex_wait(atomic<std::uint32_t>& word, std::uint32_t expected, time_point deadline) noexcept {
  return wait_word(&word, expected, deadline);
}
void futex_wake(atomic<int>& word, int count) noexcept {
  wake_word(&word, count);
}
void futex_wake(atomic<std::uint32_t>& word, int count) noexcept {
  wake_word(&word, count);
}

}  // namespace vole::internal
