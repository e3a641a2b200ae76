// SPDX-License-Identifier: Apache-2.0
#pragma once
// The return addresses that an error carries, as people read them. No shared state.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace vole::internal {

// frames_of is each call as "function (file:line)", the innermost first; vole's own at both ends
// are left out.
// Blocks:  while symbols are read.
std::vector<std::string> frames_of(std::span<std::uintptr_t const> pcs);

}  // namespace vole::internal
