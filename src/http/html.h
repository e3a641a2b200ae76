// SPDX-License-Identifier: Apache-2.0
// Text in pages. No shared state.
#pragma once

#include <string>
#include <string_view>

namespace vole::http {

// escape_html makes text safe between tags and in quoted attributes.
std::string escape_html(std::string_view text);

}  // namespace vole::http
