// SPDX-License-Identifier: Apache-2.0
// Takes a CPU profile of a piece of work and a look at all goroutines.

#include <cstdint>
#include <fmt/core.h>

#include "vole/go.h"
#include "vole/pprof.h"

using namespace vole;

int main() {
  return run([] {
    // [cpu]
    result<pprof::cpu_profile> cpu = pprof::start_cpu();
    if (!cpu) {
      fmt::print(stderr, "{}\n", cpu.error());
      return 1;
    }
    std::uint64_t sum = 0;
    for (std::uint64_t i = 0; i < 100'000'000; ++i) sum += i * i;
    std::string const profile = cpu->stop();  // write it to a file for go tool pprof
    // [cpu]
    fmt::print("{}, gzip: {}\n", sum, profile.starts_with("\x1f\x8b"));

    // [goroutines]
    std::string const dump = pprof::lookup("goroutine")->write(2);
    // [goroutines]
    fmt::print("{}\n", dump.substr(0, dump.find('\n')));
    return 0;
  });
}

// Output:
// 662921401752298880, gzip: true
// goroutine 1 [running]:
