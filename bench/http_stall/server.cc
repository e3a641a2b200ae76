// SPDX-License-Identifier: Apache-2.0
// A server with a plain handler, one that stops its thread for a second without saying so, and one
// that computes for a
// second: what do they do to the others? Also holds goroutines parked, for their memory.  Usage:
// server LISTEN [PARKED]

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <sys/resource.h>
#include <unistd.h>

#include "vole/http.h"
#include "vole/http/mux.h"
#include "vole/net.h"
#include "vole/os.h"
#include "vole/vole.h"

namespace {

namespace http = vole::http;
using vole::context;

double resident_mb() {
  long pages = 0;
  long resident = 0;
  if (FILE* f = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(f, "%ld %ld", &pages, &resident) != 2) resident = 0;
    std::fclose(f);
  }
  return static_cast<double>(resident) * 4096 / 1e6;
}

void park_many(int n, vole::chan<int> const& never) {
  double const before = resident_mb();
  auto const start = std::chrono::steady_clock::now();
  for (int i = 0; i < n; ++i) vole::go([never] { static_cast<void>(never.recv()); });
  // The last one to start is the last to park: when it has, all have.
  vole::chan<int> started(0);
  vole::go([started] { started.send(1); });
  static_cast<void>(started.recv());
  auto const took =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  double const grown = resident_mb() - before;
  std::printf("%d goroutines parked in %.1f ms, RSS +%.1f MB, %.0f bytes each\n", n, took, grown,
              grown * 1e6 / n);
  std::fflush(stdout);
}

int serve(char const* address, int parked) {
  auto const [ctx, handle] = vole::os::signal_context(context::background(), {SIGINT, SIGTERM});
  vole::chan<int> const never(0);
  if (parked > 0) park_many(parked, never);
  http::mux mux;
  mux.handle("GET /plain",
             [](http::response_writer& res, http::request&) { http::reply(res, 200, "hello\n"); });
  mux.handle("GET /block", [](http::response_writer& res, http::request&) {
    ::usleep(1'000'000);  // tidy: sleep, stopping the thread is what is measured
    http::reply(res, 200, "blocked\n");
  });
  mux.handle("GET /spin", [](http::response_writer& res, http::request&) {
    auto const end = std::chrono::steady_clock::now() + std::chrono::seconds(1);
    while (std::chrono::steady_clock::now() < end) {
    }
    http::reply(res, 200, "spun\n");
  });
  auto listener = vole::net::listen("tcp", address);
  if (!listener) {
    std::fprintf(stderr, "server: %s\n", listener.error().message().c_str());
    return 1;
  }
  http::server server({.handler = mux});
  return server.serve(ctx, **listener) ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: server LISTEN [PARKED]\n");
    return 2;
  }
  return vole::run([&] { return serve(argv[1], argc > 2 ? std::atoi(argv[2]) : 0); });
}
