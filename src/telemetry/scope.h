// SPDX-License-Identifier: Apache-2.0
// scope: what telemetry carries in a context, in one value, so that a log line finds request id and
// trace by one walk. No shared state: a scope is immutable.
#pragma once

#include <string>

#include "vole/context.h"
#include "vole/trace.h"

namespace vole::internal {

struct telemetry_scope {
  std::string request_id;    // "" when none
  trace::span_context span;  // not valid() when none
};

// with_scope returns a context that carries both at the cost of one allocation.
context with_scope(context const& parent, telemetry_scope scope);

// scope_of finds the nearest scope, or null; good while ctx lives.
telemetry_scope const* scope_of(context const& ctx) noexcept;

}  // namespace vole::internal
