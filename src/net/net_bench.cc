// SPDX-License-Identifier: Apache-2.0
// What the calls cost by themselves; round trips beside Go's are bench/net_echo.
#include <memory>
#include <utility>

#include "vole/bench.h"
#include "vole/net.h"
#include "vole/sync.h"

namespace vole::net {
namespace {

context const ctx = context::background();

std::pair<std::unique_ptr<conn>, std::unique_ptr<conn>> connect(listener& l) {
  std::unique_ptr<conn> far;
  sync::wait_group accepting;
  accepting.go([&] { far = *l.accept(ctx); });
  auto near = dial(ctx, "tcp", l.addr().text());
  accepting.wait();
  return {*std::move(near), std::move(far)};
}

VOLE_BENCH(net_dial_accept_close) {
  auto const l = listen("tcp", "127.0.0.1:0");
  while (b.loop()) {
    auto const pair = connect(**l);
    bench::keep(pair.first.get());
  }
}

// One write and one read that need not wait: two system calls and what stands around them.
VOLE_BENCH(net_write_read_ready) {
  auto const l = listen("tcp", "127.0.0.1:0");
  auto const pair = connect(**l);
  std::byte message[64] = {};
  while (b.loop()) {
    static_cast<void>(pair.first->write(ctx, message));
    static_cast<void>(pair.second->read(ctx, message));
  }
  bench::keep(message);
}

VOLE_BENCH(net_set_deadline_later) {
  auto const l = listen("tcp", "127.0.0.1:0");
  auto const pair = connect(**l);
  time_point when = internal::now() + std::chrono::hours(1);
  while (b.loop()) pair.first->set_read_deadline(when += std::chrono::microseconds(1));
}

// What a server pays for each request to hear of a client that leaves.
VOLE_BENCH(net_peer_watch) {
  auto const l = listen("tcp", "127.0.0.1:0");
  auto const pair = connect(**l);
  int gone = 0;
  while (b.loop()) {
    peer_watch const watch(*pair.first, [&gone] { ++gone; });
  }
  bench::keep(gone);
}

}  // namespace
}  // namespace vole::net
