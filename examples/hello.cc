// SPDX-License-Identifier: Apache-2.0
// hello: a goroutine, a channel, a greeting.

#include <cstdio>
#include <string>

#include "vole/vole.h"

int main() {
  return vole::run([] {
    vole::chan<std::string> greetings(0);
    for (char const* name : {"Ada", "Grace"}) {
      vole::go([greetings, name] { greetings.send(std::string("hello, ") + name); });
      std::puts(greetings.recv()->c_str());
    }
  });
}

// Output:
// hello, Ada
// hello, Grace
