// SPDX-License-Identifier: Apache-2.0
// OpenSSL's queue of errors as one error. No shared state of its own.
#include "vole/net/tls_error.h"

#include <iterator>
#include <openssl/err.h>
#include <string_view>

#include "base/sys_error.h"

namespace vole::tls {
namespace {

std::string text_or(char const* text, std::string_view otherwise) {
  return std::string(text == nullptr ? otherwise : std::string_view(text));
}

std::string reason_of(unsigned long code) {
  if (ERR_SYSTEM_ERROR(code)) return internal::sys_error_text(ERR_GET_REASON(code));
  return text_or(ERR_reason_error_string(code), "unknown reason");
}

}  // namespace

std::string tls_error::message() const {
  std::string text;
  std::string_view last;
  for (auto at = entries.rbegin(); at != entries.rend(); ++at) {
    if (at->reason == last) continue;  // each layer says it anew
    last = at->reason;
    if (!text.empty()) text += ": ";
    text += at->reason;
    if (!at->detail.empty()) text += " (" + at->detail + ")";
  }
  return text.empty() ? "OpenSSL failed without a reason" : text;
}

error from_error_queue() {
  tls_error made;
  char const* detail = nullptr;
  int flags = 0;
  while (unsigned long const code = ERR_get_error_all(nullptr, nullptr, nullptr, &detail, &flags)) {
    bool const is_text = (flags & ERR_TXT_STRING) != 0;
    made.entries.push_back({.code = code,
                            .library = text_or(ERR_lib_error_string(code), "unknown library"),
                            .reason = reason_of(code),
                            .detail = text_or(is_text ? detail : nullptr, "")});
    if (ERR_SYSTEM_ERROR(code) && !made.cause) {
      made.cause = errors::from_errno(ERR_GET_REASON(code));
    }
  }
  return errors::make_typed<tls_error>(std::move(made));
}

}  // namespace vole::tls
