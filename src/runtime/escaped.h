// SPDX-License-Identifier: Apache-2.0
#pragma once
// Exceptions that leave a goroutine.
//
// INVARIANT  A goroutine without a hook runs outside of any catch: the unwinder finds no handler,
//            unwinds nothing and calls std::terminate, so that the dump shows who threw.

namespace vole::internal {

struct goroutine;

// report_termination has std::terminate on a goroutine panic with the exception's type and message;
// on other threads what was installed before goes on as it was.
void report_termination() noexcept;

// run_hooked runs the goroutine's function and gives its hook what leaves it.
void run_hooked(goroutine& self);

}  // namespace vole::internal
