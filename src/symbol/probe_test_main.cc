// SPDX-License-Identifier: Apache-2.0
// A program that says what it knows of one of its own functions. The tests run it built in several
// ways: position independent or not, stripped, with its symbols in a debug file.
#include <cstdint>
#include <cstdio>

#include "symbol/modules.h"
#include "symbol/symbolize.h"

extern "C" [[gnu::noipa, gnu::visibility("default")]] int vole_probe(int n) {
  return n + 1;
}

int main() {
  auto const found = vole::symbol::symbolize(reinterpret_cast<std::uintptr_t>(&vole_probe));
  auto const& frame = found.frames.back();
  std::string const& path = frame.file;
  std::printf("%s %s:%d\n", frame.function.c_str(), path.substr(path.rfind('/') + 1).c_str(),
              frame.line);
  return vole::symbol::modules().front().is_main ? 0 : 1;
}
