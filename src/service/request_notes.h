// SPDX-License-Identifier: Apache-2.0
// request_notes: what handlers leave for the line that observe writes when the request is over.
// No shared state: it lies on the stack of observe and is reached only through the request.
#pragma once

#include "vole/errors.h"
#include "vole/http.h"

namespace vole::service {

struct request_notes {
  error err;
  bool cut_short = false;  // an exception came after the answer had begun
};

struct request_notes_key {
  using value_type = request_notes*;
};

// notes_of is where to note something about req; null outside observe.
inline request_notes* notes_of(http::request& req) {
  auto* const* found = req.ctx().value<request_notes_key>();
  return found == nullptr ? nullptr : *found;
}

}  // namespace vole::service
