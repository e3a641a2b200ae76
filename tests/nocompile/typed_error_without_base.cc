// SPDX-License-Identifier: Apache-2.0
// A typed error that does not derive from typed_base.
// Error: constraints not satisfied|no matching function for call to 'make_typed
#include <string>

#include "vole/errors.h"

#ifdef MENDED
struct quota_error : vole::errors::typed_base {
  std::string message() const override { return "quota"; }
};
#else
struct quota_error {
  std::string message() const { return "quota"; }
};
#endif

vole::error take() {
  return vole::errors::make_typed<quota_error>();
}
