// SPDX-License-Identifier: Apache-2.0
#pragma once
// The report of a goroutine that keeps its processor.

#include <cstdint>

#include "runtime/processor.h"

namespace vole::internal {

// After how many ns without a park a goroutine is reported; 0: never.
extern atomic<std::int64_t> stall_report_after;

// report_stall has the goroutine of p's worker printed with its stack by a goroutine of its own,
// since reading symbols takes long and the monitor must not. asleep: its thread sleeps in the
// kernel. False: another goroutine runs there by now, or another report is being written; ask
// again at the next look.
bool report_stall(worker& w, processor const& p, duration ran, bool asleep) noexcept;

}  // namespace vole::internal
