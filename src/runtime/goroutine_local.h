// SPDX-License-Identifier: Apache-2.0
#pragma once
// The table of a goroutine's local values: made by the first one, gone with the goroutine.

#include "runtime/goroutine.h"

namespace vole::internal {

// inherit_locals returns a table with copies of what the parent's children get, or null for none.
local_values* inherit_locals(goroutine const& parent);

// destroy_locals ends the caller's values; a destructor may make new ones, which end as well.
void destroy_locals(goroutine& self) noexcept;

}  // namespace vole::internal
