// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>
#include <unistd.h>

#include "vole/go.h"
#include "vole/os.h"
#include "vole/time.h"

using namespace vole;
using namespace std::chrono_literals;

// A service runs until SIGINT or SIGTERM; a second one ends it at once.
void serve_until_told() {
  auto [ctx, stop] = os::signal_context(context::background());
  go([] { ::kill(::getpid(), SIGTERM); });  // somebody types kill
  error const err = time::sleep(ctx, 1h);   // here: serve(ctx)
  fmt::print("{}: {}\n", err, ctx.cause());
}

error sort_words(context const& ctx) {
  auto const sorted =
      VOLE_TRY(os::run(ctx, {.argv = {"sort"}}, {.input = "pear\napple\n"}), "sort the words");
  if (!sorted.status.ok()) return errors::make("sort: {}", sorted.status.text());
  fmt::print("{}", sorted.output);
  return nullptr;
}

void give_up_on_a_slow_one() {
  auto [ctx, cancel] = context::with_timeout(context::background(), 10ms);
  fmt::print("{}\n", os::run(ctx, {.argv = {"sleep", "60"}}).error());
}

int main() {
  return run([] {
    serve_until_told();
    if (error const err = sort_words(context::background())) fmt::print("{}\n", err);
    give_up_on_a_slow_one();
    fmt::print("{}\n", os::read_file("/no/such/file").error());
  });
}

// Output:
// context canceled: received SIGTERM
// apple
// pear
// run sleep: context deadline exceeded
// open /no/such/file: no such file or directory
