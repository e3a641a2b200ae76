// SPDX-License-Identifier: Apache-2.0
// VOLE_TRY does not say what was being done.
// Error: VOLE_TRY.*requires (at least )?[23] arguments|too few arguments provided to function-like macro invocation
#include "vole/result.h"

vole::result<int> parse();

vole::result<int> use() {
#ifdef MENDED
  auto const value = VOLE_TRY(parse(), "parse");
#else
  auto const value = VOLE_TRY(parse());
#endif
  return value;
}
