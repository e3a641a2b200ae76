// SPDX-License-Identifier: Apache-2.0
#pragma once
// The flame graph of a profile: as a page for the browser, and as text for the terminal. No shared
// state.

#include <cstddef>
#include <string>
#include <string_view>

#include "pprof/reader.h"

namespace vole::pprof {

// flame_page is an HTML page that needs nothing besides itself: search, zoom, inverted view; for
// the keyboard too. It shows the type first that is asked for. With a base, it shows what is more
// (red) and what is less (blue) than there; base has the same types.
std::string flame_page(parsed_profile const& profile, std::string_view title, std::size_t type,
                       parsed_profile const* base = nullptr);

// flame_text is the call tree with the share of each call, down to half a percent.
std::string flame_text(parsed_profile const& profile, std::size_t type);

}  // namespace vole::pprof
