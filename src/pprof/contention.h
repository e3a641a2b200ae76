// SPDX-License-Identifier: Apache-2.0
#pragma once
// The block and the mutex profile: what the runtime has counted. No shared state here.

#include <memory>

#include "pprof/source.h"

namespace vole::pprof {

std::unique_ptr<profile_source> make_block_source();
std::unique_ptr<profile_source> make_mutex_source();

}  // namespace vole::pprof
