// SPDX-License-Identifier: Apache-2.0
// A text where a bool is meant: every pointer would be true.
// Error: could not convert|no viable conversion
#include "vole/result.h"

vole::result<bool> enabled() {
#ifdef MENDED
  return true;
#else
  return "false";
#endif
}
