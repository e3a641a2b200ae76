// SPDX-License-Identifier: Apache-2.0
#pragma once
// The page at /debug/pprof/: which profiles there are, what question each answers, and links to
// read it. No shared state.

#include <string>

namespace vole::http {

std::string pprof_index_html();

}  // namespace vole::http
