// SPDX-License-Identifier: Apache-2.0
#pragma once
// A profile as text, in the debug=1 forms of Go, which people read and pprof's parsers too. No
// shared state.

#include <string>
#include <string_view>

#include "vole/pprof.h"

#include "pprof/profile.h"

namespace vole::pprof {

// text_of picks the form by what is counted: heap (four values: allocated and in use), contention
// (contentions and their delay), or a count for each stack.
// Blocks: the thread, while symbols are read: call it inside blocking().
std::string text_of(std::string_view name, profile_data const& data);

// as_text is the profile as it stands, in the form that debug asks for.
// Blocks: the goroutine, while symbols are read.
std::string as_text(profile const& p, int debug);

}  // namespace vole::pprof
