// SPDX-License-Identifier: Apache-2.0
#pragma once
// The program's own profiles: which of its things live, and who made them. No shared state here.

#include <memory>
#include <string_view>

#include "pprof/source.h"

namespace vole::pprof {

std::unique_ptr<profile_source> make_custom_source(std::string_view name);

}  // namespace vole::pprof
