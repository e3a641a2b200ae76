// SPDX-License-Identifier: Apache-2.0
#pragma once
// Text that has to arrive where it is sent. No shared state.

#include <cstdio>
#include <string_view>

#include "vole/result.h"

namespace vole::bench {

// write_all writes the text and everything that waits in the stream. Returns 0 or an errno, also
// when something before was lost.
[[nodiscard]] int write_all(std::FILE* to, std::string_view text);

// write_out is write_all. Errors: what the system says, such as a full disk.
error write_out(std::FILE* to, std::string_view text);

}  // namespace vole::bench
