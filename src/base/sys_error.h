// SPDX-License-Identifier: Apache-2.0
#pragma once
// The words for errno: lower case, as they stand inside an error's text.

#include <string>

namespace vole::internal {

// sys_error_text(ECONNREFUSED) is "connection refused"; an unknown number is "errno 4711".
std::string sys_error_text(int code);

}  // namespace vole::internal
