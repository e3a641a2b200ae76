// SPDX-License-Identifier: Apache-2.0
#pragma once
// The attributes that an error carries: copies in one block behind their node. No shared state.

#include <span>

#include "vole/attr.h"
#include "vole/internal/error_node.h"

namespace vole::internal {

// stored_attrs are the attributes of one note of kind attrs.
std::span<attr const> stored_attrs(error_node const& note) noexcept;

}  // namespace vole::internal
