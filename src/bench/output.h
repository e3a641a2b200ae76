// SPDX-License-Identifier: Apache-2.0
#pragma once
// Text that has to arrive where it is sent. No shared state.

#include <cstdio>
#include <string_view>

#include "vole/result.h"

namespace vole::bench {

// write_out writes the text and everything that waits in the stream.
// Errors: what the system says, such as a full disk; also when something before was lost.
error write_out(std::FILE* to, std::string_view text);

}  // namespace vole::bench
