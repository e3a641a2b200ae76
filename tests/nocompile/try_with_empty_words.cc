// SPDX-License-Identifier: Apache-2.0
// VOLE_TRY has words, but they say nothing.
// Error: say what was being done
#include "vole/result.h"

vole::result<int> parse();

vole::result<int> use() {
#ifdef MENDED
  auto const value = VOLE_TRY(parse(), "parse");
#else
  auto const value = VOLE_TRY(parse(), "");
#endif
  return value;
}
