// SPDX-License-Identifier: Apache-2.0
#include "symbol/demangle.h"

#include <cstdlib>
#include <cstring>
#include <cxxabi.h>
#include <memory>

namespace vole::symbol {

std::string demangle_type(char const* name) {
  int status = 0;
  std::unique_ptr<char, decltype(&std::free)> const readable(
      abi::__cxa_demangle(name, nullptr, nullptr, &status), &std::free);
  return status == 0 && readable != nullptr ? std::string(readable.get()) : std::string(name);
}

std::string demangle(char const* name) {
  // Without the prefix a C function called "i" would become "int".
  if (std::strncmp(name, "_Z", 2) != 0) return name;
  return demangle_type(name);
}

}  // namespace vole::symbol
