// SPDX-License-Identifier: Apache-2.0
// A context whose cancel handle is thrown away: it would be canceled at once.
// Error: ignoring return(ed)? value of
#include "vole/context.h"

void work(vole::context const& parent) {
#ifdef MENDED
  auto const [ctx, cancel] = vole::context::with_cancel(parent);
  static_cast<void>(ctx);
#else
  vole::context::with_cancel(parent);
#endif
}
