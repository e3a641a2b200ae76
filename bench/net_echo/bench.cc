// SPDX-License-Identifier: Apache-2.0
// Clients send 64 bytes to a server on the same machine and wait for them to come back.

#include "vole/bench.h"

#include <cstdint>
#include <fmt/core.h>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

#include "vole/net.h"
#include "vole/sync.h"

using namespace vole;

namespace {

constexpr std::size_t message_bytes = 64;

context const ctx = context::background();

void serve(net::conn& c) {
  std::byte message[4096];
  for (;;) {
    auto const got = c.read(ctx, message);
    if (!got || *got == 0) return;
    if (c.write(ctx, {message, *got})) return;
  }
}

// The bytes that came back over n round trips.
std::int64_t round_trips(net::conn& c, std::int64_t n) {
  std::byte message[message_bytes] = {};
  std::int64_t bytes = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    if (c.write(ctx, message) || io::read_full(ctx, c, message)) break;
    bytes += message_bytes;
  }
  return bytes;
}

void echo(bench::benchmark& b, std::string_view network, std::string_view address, int clients) {
  auto const listener = net::listen(network, address);
  if (!listener) return b.fail("{}", listener.error());
  sync::wait_group serving;
  serving.go([&] {
    for (;;) {
      auto accepted = (*listener)->accept(ctx);
      if (!accepted) return;
      serving.go([c = *std::move(accepted)] { serve(*c); });
    }
  });
  std::vector<std::unique_ptr<net::conn>> conns;
  for (int i = 0; i < clients; ++i) {
    auto made = net::dial(ctx, network, (*listener)->addr().text());
    if (!made) return b.fail("{}", made.error());
    conns.push_back(*std::move(made));
  }
  std::vector<std::int64_t> bytes(conns.size());
  sync::wait_group sending;
  b.reset_timer();
  for (int i = 0; i < clients; ++i) {
    auto const at = static_cast<std::size_t>(i);
    std::int64_t const n = b.n / clients + (i < b.n % clients ? 1 : 0);
    sending.go([&conns, &bytes, at, n] { bytes[at] = round_trips(*conns[at], n); });
  }
  sending.wait();
  b.stop_timer();
  std::int64_t sum = 0;
  for (std::int64_t const of_one : bytes) sum += of_one;
  b.report_metric(static_cast<double>(sum) / static_cast<double>(b.n), "check/op");
  conns.clear();
  static_cast<void>((*listener)->close());
  serving.wait();
}

VOLE_BENCH(net_echo) {
  b.run("tcp_1", [](bench::benchmark& sub) { echo(sub, "tcp", "127.0.0.1:0", 1); });
  b.run("tcp_64", [](bench::benchmark& sub) { echo(sub, "tcp", "127.0.0.1:0", 64); });
  b.run("unix_1", [](bench::benchmark& sub) {
    echo(sub, "unix", fmt::format("@vole-bench-echo-{}", ::getpid()), 1);
  });
}

}  // namespace
