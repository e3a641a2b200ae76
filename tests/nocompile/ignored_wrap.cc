// SPDX-License-Identifier: Apache-2.0
// An error that was given words, and was then dropped.
// Error: ignoring return(ed)? value of (type|function)
#include "vole/errors.h"

vole::error close(vole::error const& err) {
#ifdef MENDED
  return vole::errors::wrap(err, "close");
#else
  vole::errors::wrap(err, "close");
  return nullptr;
#endif
}
