// SPDX-License-Identifier: Apache-2.0
#pragma once
// The report of a goroutine that keeps its processor.

#include <cstdint>

#include "runtime/processor.h"

namespace vole::internal {

// After how many ns without a park a goroutine is reported; 0: never.
extern atomic<std::int64_t> stall_report_after;

// report_stall has w's goroutine printed with its stack by a goroutine of its own, since reading
// symbols takes long and the monitor must not. asleep: its thread sleeps in the kernel.
void report_stall(worker& w, duration ran, bool asleep) noexcept;

}  // namespace vole::internal
