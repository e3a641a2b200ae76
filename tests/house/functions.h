// SPDX-License-Identifier: Apache-2.0
#pragma once
// Where the functions of a file begin and end, by its braces. No shared state.

#include <cstddef>
#include <vector>

#include "source_file.h"

namespace vole::house {

struct function_body {
  std::size_t first_line = 0;  // from 1: the line of the opening brace
  std::size_t last_line = 0;   // that of the closing one
};

// functions_of lists the function bodies that do not stand inside another function.
std::vector<function_body> functions_of(source_file const& file);

}  // namespace vole::house
