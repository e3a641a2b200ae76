// SPDX-License-Identifier: Apache-2.0
#pragma once
// The goroutine profile. No shared state.

#include <string>

namespace vole::pprof {

// goroutine_profile renders all goroutines that live: debug 0 profile.proto gzipped, 1 counts per
// stack, 2 a dump of each.
std::string goroutine_profile(int debug);

// threadcreate_profile counts the threads of the process, per name.
std::string threadcreate_profile(int debug);
std::size_t count_threads();

}  // namespace vole::pprof
