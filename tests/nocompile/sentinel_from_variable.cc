// SPDX-License-Identifier: Apache-2.0
// A sentinel whose text may be gone before the errors that point to it.
// Error: not a constant expression|is not usable in a constant expression
#include <string>

#include "vole/errors.h"

#ifdef MENDED
inline constinit vole::errors::sentinel closed{"closed"};
#else
std::string text = "closed";
inline vole::errors::sentinel closed{text};
#endif
