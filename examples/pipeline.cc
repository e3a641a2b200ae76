// SPDX-License-Identifier: Apache-2.0
// pipeline: stages joined by channels; each closes what it sends on, so that the next one's loop
// ends.

#include <cstdio>

#include "vole/vole.h"

namespace {

vole::recv_chan<int> numbers(int n) {
  vole::chan<int> out(0);
  vole::go([out, n] {
    for (int i = 1; i <= n; ++i) out.send(i);
    out.close();
  });
  return out;
}

vole::recv_chan<int> squares(vole::recv_chan<int> in) {
  vole::chan<int> out(0);
  vole::go([in, out] {
    for (int i : in) out.send(i * i);
    out.close();
  });
  return out;
}

}  // namespace

int main() {
  return vole::run([] {
    int sum = 0;
    for (int square : squares(numbers(10))) sum += square;
    std::printf("1 + 4 + ... + 100 = %d\n", sum);
  });
}

// Output:
// 1 + 4 + ... + 100 = 385
