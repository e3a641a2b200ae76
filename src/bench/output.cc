// SPDX-License-Identifier: Apache-2.0
// No shared state.
#include "bench/output.h"

#include <cerrno>

#include "vole/errors.h"

#include "base/sys_error.h"

namespace vole::bench {

int write_all(std::FILE* to, std::string_view text) {
  errno = 0;
  bool const whole = std::fwrite(text.data(), 1, text.size(), to) == text.size();
  if (whole && std::fflush(to) == 0 && std::ferror(to) == 0) return 0;
  return errno != 0 ? errno : EIO;
}

error write_out(std::FILE* to, std::string_view text) {
  int const code = write_all(to, text);
  return code == 0 ? error() : errors::make("{}", internal::sys_error_text(code));
}

}  // namespace vole::bench
