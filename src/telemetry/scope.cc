// SPDX-License-Identifier: Apache-2.0
#include "telemetry/scope.h"

#include <utility>

namespace vole::internal {
namespace {

struct scope_key {
  using value_type = telemetry_scope;
};

}  // namespace

context with_scope(context const& parent, telemetry_scope scope) {
  return context::with_value<scope_key>(parent, std::move(scope));
}

telemetry_scope const* scope_of(context const& ctx) noexcept {
  return ctx.value<scope_key>();
}

}  // namespace vole::internal
