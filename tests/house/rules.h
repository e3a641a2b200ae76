// SPDX-License-Identifier: Apache-2.0
#pragma once
// The rules of the house, one function each: what a file breaks. No shared state.
//
// A ban can be waived where it must be, in the line or the one above, with its reason:
//   std::thread outsider(...);  // tidy: std::thread, a plain thread is what is tested
//   // tidy: long function, one case of the grammar after the other

#include <vector>

#include "source_file.h"

namespace vole::house {

using rule = std::vector<violation> (*)(source_file const&);

std::vector<violation> missing_spdx(source_file const& file);
std::vector<violation> missing_pragma_once(source_file const& file);
std::vector<violation> wide_lines(source_file const& file);
std::vector<violation> untidy_blanks(source_file const& file);
std::vector<violation> long_file(source_file const& file);
std::vector<violation> long_functions(source_file const& file);
std::vector<violation> banned_words(source_file const& file);
std::vector<violation> thrown_exceptions(source_file const& file);
std::vector<violation> unfinished_work(source_file const& file);
std::vector<violation> unpartnered_orders(source_file const& file);
std::vector<violation> using_namespace_in_header(source_file const& file);
std::vector<violation> try_in_expression(source_file const& file);
// A member that is a context and not a context::stored.
std::vector<violation> unsaid_contexts(source_file const& file);

}  // namespace vole::house
