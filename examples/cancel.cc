// SPDX-License-Identifier: Apache-2.0
// cancel: a deadline and a cancellation reach a goroutine that waits.

#include <chrono>
#include <cstdio>

#include "vole/vole.h"

using vole::context;
using namespace std::chrono_literals;

namespace {

vole::error wait_for_work(context const& ctx, vole::chan<int> const& work) {
  int job = 0;
  switch (select(recv(work, &job), recv(ctx.done()))) {
    case 0:
      std::printf("job %d\n", job);
      return nullptr;
    default:
      return vole::errors::wrap(ctx.err(), "wait for work");
  }
}

}  // namespace

int main() {
  return vole::run([] {
    vole::chan<int> const work(1);
    work.send(7);
    auto const [soon, cancel_soon] = context::with_timeout(context::background(), 200ms);
    std::printf("%s\n", wait_for_work(soon, work) ? "failed" : "done");
    std::printf("%s\n", wait_for_work(soon, work).message().c_str());

    auto const [ctx, cancel] = context::with_cancel(context::background());
    cancel();
    std::printf("%s\n", wait_for_work(ctx, work).message().c_str());
  });
}

// Output:
// job 7
// done
// wait for work: context deadline exceeded
// wait for work: context canceled
