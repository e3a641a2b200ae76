// SPDX-License-Identifier: Apache-2.0
#pragma once
// The futex system call: the one place where a thread of vole sleeps on a word.

#include <cstdint>

#include "vole/internal/atomic.h"
#include "vole/internal/clock.h"

namespace vole::internal {

// futex_wait sleeps while word holds expected, at most until the deadline; wakes spuriously. False:
// the deadline passed.
bool futex_wait(atomic<int>& word, int expected, time_point deadline = never) noexcept;
bool futex_wait(atomic<std::uint32_t>& word, std::uint32_t expected,
                time_point deadline = never) noexcept;

// futex_wake wakes at most count sleepers.
void futex_wake(atomic<int>& word, int count) noexcept;
void futex_wake(atomic<std::uint32_t>& word, int count) noexcept;

}  // namespace vole::internal
