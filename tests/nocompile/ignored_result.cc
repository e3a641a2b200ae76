// SPDX-License-Identifier: Apache-2.0
// A result that nobody looks at.
// Error: ignoring return(ed)? value of (type|function)
#include "vole/result.h"

vole::result<int> parse();

void use() {
#ifdef MENDED
  auto const parsed = parse();
  if (!parsed) return;
#else
  parse();
#endif
}
