// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include "vole/chan.h"
#include "vole/context.h"
#include "vole/go.h"
#include "vole/select.h"
#include "vole/synctest.h"
#include "vole/time.h"

using namespace vole;

namespace {

// What is tested: counts ticks until its context ends.
int count_ticks(context const& ctx, duration period) {
  time::ticker const every(period);
  for (int ticks = 0;; ++ticks) {
    time_point at;
    if (select(recv(ctx.done()), recv(every.c(), &at)) == 0) return ticks;
  }
}

}  // namespace

int main() {
  return run([] {
    synctest::test([] {
      time_point const begin = time::now();
      auto [ctx, cancel] = context::with_timeout(context::background(), std::chrono::hours(24));
      int const ticks = count_ticks(ctx, std::chrono::minutes(7));
      fmt::print("{} ticks in {} hours\n", ticks, time::since(begin) / std::chrono::hours(1));
    });

    synctest::test([] {
      chan<int> const queue(10);
      int handled = 0;
      go([&] {
        for (int const n : queue) handled += n;
      });
      queue.send(1);
      queue.send(2);
      synctest::wait();  // the reader has taken what there was and waits for more
      fmt::print("handled {}\n", handled);
      queue.close();
    });
  });
}

// Output:
// 205 ticks in 24 hours
// handled 3
