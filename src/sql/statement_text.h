// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the first word of a statement tells. No shared state.

#include <cstdint>
#include <string_view>

namespace vole::internal {

enum class statement_kind : std::uint8_t {
  read,         // SELECT, VALUES, SHOW, EXPLAIN, ...: as a rule changes nothing
  with,         // WITH: may be either
  transaction,  // BEGIN, COMMIT, SAVEPOINT, ...: has methods of its own
  other,        // changes something, or may
};

// first_word skips blanks, comments and opening parentheses and returns the first word as written.
std::string_view first_word(std::string_view statement);
statement_kind kind_of(std::string_view statement);
// takes_company: it reads or changes rows, and so may share a request with others; VACUUM, say,
// must be alone in its own.
bool takes_company(std::string_view statement);

}  // namespace vole::internal
