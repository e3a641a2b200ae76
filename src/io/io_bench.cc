// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <string>

#include "vole/bench.h"
#include "vole/go.h"
#include "vole/io.h"
#include "vole/sync.h"

namespace vole::io {
namespace {

// Eight header lines of a small request, taken out of the buffer one by one.
VOLE_BENCH(buffered_read_line) {
  std::string request;
  for (int i = 0; i < 8; ++i) request += "Header-Name: some value of it\r\n";
  context const ctx = context::background();
  std::size_t sum = 0;
  b.set_bytes(static_cast<std::int64_t>(request.size()));
  while (b.loop()) {
    bytes_reader from(request);
    buffered_reader in(from, 1024);
    for (int i = 0; i < 8; ++i) sum += in.read_line(ctx)->size();
  }
  bench::keep(sum);
}

VOLE_BENCH(buffered_write_small) {
  context const ctx = context::background();
  buffered_writer out(discard(), 4096);
  b.set_bytes(16);
  while (b.loop()) static_cast<void>(write(ctx, out, "sixteen bytes ok"));
}

// One byte there and one back: two switches of goroutine and nothing else.
VOLE_BENCH(pipe_ping_pong) {
  context const ctx = context::background();
  auto ping = pipe();
  auto pong = pipe();
  sync::wait_group wg;
  wg.go([&] {
    std::byte one[1];
    for (;;) {
      auto const got = ping.read_end->read(ctx, one);
      if (!got || *got == 0) return;
      static_cast<void>(pong.write_end->write(ctx, one));
    }
  });
  std::byte one[1] = {std::byte{7}};
  while (b.loop()) {
    static_cast<void>(ping.write_end->write(ctx, one));
    static_cast<void>(pong.read_end->read(ctx, one));
  }
  bench::keep(one);
  static_cast<void>(ping.write_end->close());
  wg.wait();
}

}  // namespace
}  // namespace vole::io
