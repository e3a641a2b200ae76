// SPDX-License-Identifier: Apache-2.0
// VOLE_TRY in a function that has no way to return an error.
// Error: cannot convert 'vole::error' to 'int'|no viable conversion from returned value of type 'error' to function return type 'int'
#include "vole/result.h"

vole::result<int> parse();

#ifdef MENDED
vole::result<int> use() {
#else
int use() {
#endif
  auto const value = VOLE_TRY(parse(), "parse");
  return value;
}
