// SPDX-License-Identifier: Apache-2.0
// An error that nobody looks at.
// Error: ignoring return(ed)? value of (type|function)
#include "vole/errors.h"

vole::error flush();

void close() {
#ifdef MENDED
  if (vole::error const err = flush()) return;
#else
  flush();
#endif
}
