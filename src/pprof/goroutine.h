// SPDX-License-Identifier: Apache-2.0
#pragma once
// The profiles that always exist: goroutines, threads. No shared state.

#include <cstddef>
#include <string>

#include "pprof/profile.h"

namespace vole::pprof {

// All goroutines that live: as a profile, and as text (debug 1: counts per stack, 2: a dump of
// each).
profile_data collect_goroutines();
std::string goroutines_as_text(int debug);

// The threads of the process, counted by name.
profile_data collect_threads();
std::string threads_as_text(int debug);
std::size_t count_threads();

}  // namespace vole::pprof
