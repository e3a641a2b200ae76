// SPDX-License-Identifier: Apache-2.0
// A result whose value would be an error.
// Error: neither an error nor a result
#include "vole/result.h"

#ifdef MENDED
vole::result<int> make() {
  return 1;
}
#else
vole::result<vole::error> make() {
  return vole::errors::make("which of the two is it?");
}
#endif
