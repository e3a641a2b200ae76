// SPDX-License-Identifier: Apache-2.0
#pragma once
// The end of the process: see exit_hold.cc.

namespace vole::internal {

// hold_at_exit has exit() begin with scheduler::hold_back. Only what was registered there after the
// last call of hold_at_exit, as the destructor of each static object is once it was made, goes
// before that.
void hold_at_exit() noexcept;

}  // namespace vole::internal
