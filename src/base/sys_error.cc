// SPDX-License-Identifier: Apache-2.0
#include "base/sys_error.h"

#include <cctype>
#include <cstring>
#include <fmt/core.h>

namespace vole::internal {

std::string sys_error_text(int code) {
  char const* text = ::strerrordesc_np(code);
  if (text == nullptr) return fmt::format("errno {}", code);
  std::string s = text;
  // "RFS specific error" keeps its capitals, "Connection refused" loses its own.
  if (s.size() > 1 && std::islower(static_cast<unsigned char>(s[1])) != 0) {
    s[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(s[0])));
  }
  return s;
}

}  // namespace vole::internal
