// SPDX-License-Identifier: Apache-2.0
// Streams: a producer and a consumer joined by a pipe, line by line, with a limit and a deadline.
#include <chrono>
#include <fmt/core.h>

#include "vole/go.h"
#include "vole/io.h"

using namespace vole;
using namespace std::chrono_literals;

int main() {
  return run([] {
    auto const [ctx, cancel] = context::with_timeout(context::background(), 5s);
    auto [in, out] = io::pipe();

    go([&ctx = ctx, out = std::move(out)] {
      io::buffered_writer lines(*out);
      for (int i = 1; i <= 3; ++i) {
        if (error err = io::write(ctx, lines, fmt::format("line {}\n", i)))
          return out->close_with(err);
      }
      if (error err = lines.flush(ctx)) out->close_with(err);
    });  // the end of `out` closes the pipe

    io::buffered_reader lines(*in);
    for (;;) {
      auto const line = lines.read_line(ctx);
      if (!line) {
        fmt::print("{}\n", line.error());
        break;
      }
      fmt::print("got {}\n", *line);
    }

    io::bytes_reader body("a body that is too long");
    auto const all = io::read_all(ctx, body, 10);
    fmt::print("{}\n", errors::wrap(all.error(), "read the body"));
  });
}
// Output:
// got line 1
// got line 2
// got line 3
// unexpected end of stream
// read the body: longer than the limit of 10 bytes
