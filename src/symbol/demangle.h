// SPDX-License-Identifier: Apache-2.0
#pragma once
// C++ names as people write them. No shared state. Allocates: not for signal handlers.

#include <string>

namespace vole::symbol {

// demangle("_ZN4vole2goEv") is "vole::go()"; a name that is not a mangled one comes back as it is.
std::string demangle(char const* name);
// demangle_type is the same for what std::type_info::name gives.
std::string demangle_type(char const* name);

}  // namespace vole::symbol
