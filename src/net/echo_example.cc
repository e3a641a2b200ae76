// SPDX-License-Identifier: Apache-2.0
// A server that echoes lines, and clients: one that talks, one that is too slow, one too late.
#include <chrono>
#include <fmt/core.h>

#include "vole/net.h"
#include "vole/sync.h"
#include "vole/time.h"

using namespace vole;
using namespace std::chrono_literals;

namespace {

error serve_one(context const& ctx, net::conn& c) {
  io::buffered_reader lines(c);
  for (;;) {
    c.set_read_deadline(time::now() + 500ms);  // a client may be silent for so long
    auto const line = lines.read_line(ctx);
    if (!line) return errors::is(line.error(), io::unexpected_end) ? error() : line.error();
    VOLE_TRY(io::write(ctx, c, fmt::format("echo {}\n", *line)), "answer a client");
  }
}

void serve(context const& ctx, net::listener& l) {
  sync::wait_group clients;
  for (;;) {
    auto accepted = l.accept(ctx);
    if (!accepted) {
      if (net::is_resource_limit(accepted.error())) continue;  // accept has waited already
      break;                                                   // net::closed, or the context ended
    }
    clients.go([&ctx, c = *std::move(accepted)] {
      error const err = serve_one(ctx, *c);
      auto const* op = errors::as<net::op_error>(err);
      if (op != nullptr && op->timeout()) fmt::print("server: a client was silent too long\n");
    });
  }
  clients.wait();
}

error talk(context const& ctx, std::string_view address) {
  auto const c = VOLE_TRY(net::dial(ctx, "tcp", address), "talk to the server");
  VOLE_TRY(io::write(ctx, *c, "hello\n"), "talk to the server");
  io::buffered_reader lines(*c);
  auto const answer = VOLE_TRY(lines.read_line(ctx), "talk to the server");
  fmt::print("client: {}\n", answer);
  return nullptr;
}

}  // namespace

int main() {
  return run([] {
    auto const [ctx, cancel] = context::with_cancel(context::background());
    auto const listener = net::listen("tcp", "127.0.0.1:0");
    if (!listener) {
      fmt::print("{}\n", listener.error());
      return 1;
    }
    std::string const address = (*listener)->addr().text();
    sync::wait_group serving;
    serving.go([&ctx = ctx, &listener] { serve(ctx, **listener); });

    if (error err = talk(ctx, address)) fmt::print("{}\n", err);

    auto const silent = net::dial(ctx, "tcp", address);
    std::byte one[1];
    if (silent) static_cast<void>((*silent)->read(ctx, one));  // until the server has had enough

    static_cast<void>((*listener)->close());
    serving.wait();
    error const refused = talk(ctx, address);
    fmt::print("client: refused: {}\n", errors::is(refused, errors::from_errno(ECONNREFUSED)));
    return 0;
  });
}
// Output:
// client: echo hello
// server: a client was silent too long
// client: refused: true
