// SPDX-License-Identifier: Apache-2.0
// A result<void> that nobody looks at.
// Error: ignoring return(ed)? value of (type|function)
#include "vole/result.h"

vole::result<void> flush();

void use() {
#ifdef MENDED
  static_cast<void>(flush());
#else
  flush();
#endif
}
