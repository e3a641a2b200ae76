// SPDX-License-Identifier: Apache-2.0
// When to spin. No shared state.
#pragma once

namespace vole::internal {

// spinning_pays tells whether who waits for a lock may hope that its owner, on another processor,
// releases it before a switch is over; not while a goroutine waits for this processor.
// Cost: five loads.   Source: Go runtime (sync_runtime_canSpin).
bool spinning_pays() noexcept;

}  // namespace vole::internal
