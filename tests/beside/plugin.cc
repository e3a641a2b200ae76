// SPDX-License-Identifier: Apache-2.0
// A shared library with vole in it, for programs that know nothing of vole.
#include "vole/chan.h"
#include "vole/go.h"
#include "vole/sync.h"
#include "vole/time.h"

extern "C" [[gnu::visibility("default")]] long vole_plugin_sum(long n) {
  vole::chan<long> numbers(0);
  vole::sync::wait_group senders;
  for (long i = 1; i <= n; ++i) {
    senders.go([numbers, i] {
      try {
        throw i;
      } catch (long const number) {
        numbers.send(number);
      }
    });
  }
  vole::go([numbers, &senders]() mutable {
    senders.wait();
    vole::time::sleep(std::chrono::milliseconds(1));
    numbers.close();
  });
  long sum = 0;
  while (auto const number = numbers.recv()) sum += *number;
  return sum;
}
