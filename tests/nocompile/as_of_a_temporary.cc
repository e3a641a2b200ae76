// SPDX-License-Identifier: Apache-2.0
// A pointer into an error that is gone at the end of the line.
// Error: (use of|call to) deleted function
#include "vole/errors.h"

vole::error connect();

int code() {
#ifdef MENDED
  vole::error const err = connect();
  auto const* const found = vole::errors::as<vole::errors::system_error>(err);
#else
  auto const* const found = vole::errors::as<vole::errors::system_error>(connect());
#endif
  return found == nullptr ? 0 : found->code;
}
