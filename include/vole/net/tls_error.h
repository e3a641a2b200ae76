// SPDX-License-Identifier: Apache-2.0
// tls_error: what OpenSSL says went wrong, as an error. No shared state of its own: OpenSSL keeps
// its queue of errors for each thread.
#pragma once

#include <fmt/core.h>
#include <string>
#include <utility>
#include <vector>

#include "vole/errors.h"

namespace vole::tls {

// tls_error is a failed call of OpenSSL: all that stood in its queue of errors.
struct tls_error final : errors::typed_base {
  struct entry {
    unsigned long code = 0;  // for ERR_GET_LIB and ERR_GET_REASON
    std::string library;     // "SSL routines"
    std::string reason;      // "certificate verify failed"
    std::string detail;      // what the library added; often ""
  };

  // The outermost failure first: "certificate verify failed: unable to get issuer certificate".
  std::string message() const override;
  // The errno value behind it, if the system failed.
  error unwrap() const override { return cause; }

  std::vector<entry> entries;  // as OpenSSL has them: the cause first
  error cause;
};

// from_error_queue takes the calling thread's queue as one error, and leaves it empty. Never null:
// it is called because something failed. Call it right after the call that failed: a goroutine that
// has waited meanwhile may be on another thread.
error from_error_queue();
template <class... A>
error from_error_queue(fmt::format_string<A...> format, A&&... args) {
  return errors::wrap(from_error_queue(), format, std::forward<A>(args)...);
}

}  // namespace vole::tls
